# A Debian system as images of services are made: packages, then cleaning up, then the
# application's user and files. Each step is a layer.
FROM localhost/base
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates curl git libcap2-bin perl procps sudo
# Removed files, removed trees, and directories that are removed and made again.
RUN rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb /usr/share/doc/* /usr/share/man/man* \
 && rm -rf /usr/share/perl/5.36.0/unicore && mkdir /usr/share/perl/5.36.0/unicore && echo empty > /usr/share/perl/5.36.0/unicore/README
# Owners changed on files of a lower layer; the entries that tools tend to lose.
RUN useradd --create-home app && chown -R app:app /usr/share/git-core && chmod 1777 /home/app \
 && mkfifo /home/app/fifo && ln /home/app/.profile /home/app/hard && ln -s /etc/passwd /home/app/absolute && ln -s ../../etc /home/app/relative \
 && cp /usr/bin/perl /home/app/server && setcap cap_net_bind_service=+ep /home/app/server \
 && touch -d '1991-06-03 05:30:30 UTC' /home/app/.bashrc && printf 'x' > '/home/app/näme with spaces' \
 && mkdir -p "/home/app/$(printf 'long%.0s' $(seq 40))/$(printf 'path%.0s' $(seq 30))" && chmod 0700 /home/app/long*
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LABEL org.opencontainers.image.title="debian" org.opencontainers.image.description="A Debian system in four layers"
USER app
WORKDIR /home/app
ENTRYPOINT ["/usr/bin/perl"]
CMD ["-v"]
