# A development machine in seven layers, 1.5 GB unpacked: many files, whole trees removed
# again, and a layer that changes nothing but owners.
FROM localhost/base
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates curl git iputils-ping libcap2-bin openssh-client perl procps sudo && apt-get clean
RUN apt-get install --yes --no-install-recommends build-essential cmake libssl-dev pkg-config && apt-get clean
RUN apt-get install --yes --no-install-recommends python3 python3-dev python3-numpy python3-pip python3-venv && apt-get clean
RUN apt-get install --yes --no-install-recommends golang-go openjdk-17-jdk-headless && apt-get clean
RUN rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /usr/share/doc/* /usr/share/man/man* /usr/share/locale/[a-m]* \
 && rm -rf /usr/share/perl/5.36.0/unicore && mkdir /usr/share/perl/5.36.0/unicore && echo empty > /usr/share/perl/5.36.0/unicore/README \
 && rm -rf /usr/share/info && mkdir /usr/share/info
RUN useradd --create-home app && chown -R app:app /usr/lib/go-1.19/src /usr/share/go-1.19/src && chmod 1777 /home/app \
 && mkfifo /home/app/fifo && ln /home/app/.profile /home/app/hard && ln -s /etc/passwd /home/app/absolute \
 && setcap cap_net_bind_service=+ep /usr/bin/python3.11
CMD ["/bin/bash"]
