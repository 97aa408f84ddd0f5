# The resource's image: one static program, the names Concourse calls it by, and the
# certificate authorities that it trusts.
#
#   docker build --tag registry-image .
#
# The builder needs a Rust toolchain that the workspace's rust-version accepts, a C
# compiler with glibc's static libraries, and ca-certificates.
ARG builder=docker.io/library/rust:1.95-slim-bookworm

FROM ${builder} AS build
WORKDIR /usr/src/regimg
COPY . .
RUN cargo xtask dist --out /image/opt/resource
# Concourse runs the commands as root and may look that name up; `out` compresses layers
# in /tmp.
RUN mkdir --parents /image/etc/ssl/certs \
 && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
 && echo 'root:x:0:0:root:/:/sbin/nologin' > /image/etc/passwd \
 && mkdir --mode=1777 /image/tmp

FROM scratch
COPY --from=build /image /
# Concourse calls the commands by their paths; this is for `docker run`.
ENTRYPOINT ["/opt/resource/regimg"]
