# An image with one file in it, on a base that has glibc and CA certificates and no shell.
#
#   docker build --tag sluice .
#   docker run --env SLUICE_PASSWORD=… --publish 8080:8080 --publish 6379:6379 sluice

FROM denoland/deno:2.9.6 AS build
WORKDIR /src
COPY deno.json deno.lock ./
RUN deno install --frozen
COPY . .
RUN deno task compile --output /sluice

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /sluice /sluice
# Clients reach a container through its own address and not through its loopback. A password is
# required then: SLUICE_PASSWORD, or SLUICE_PASSWORD_FILE with the path of a mounted secret.
# The server is process 1 and gets SIGTERM itself; it must be done when `docker stop` loses
# patience, after 10 s.
ENV SLUICE_HOST=0.0.0.0 SLUICE_SHUTDOWN_TIMEOUT=9s
# What compilers leave behind goes back to the system, as with `deno task start` (docs/performance.md);
# the executable sees to it as well, a moment later.
ENV MALLOC_MMAP_THRESHOLD_=32768
STOPSIGNAL SIGTERM
EXPOSE 8080 6379 9090
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["/sluice", "health"]
ENTRYPOINT ["/sluice"]
