# syntax=docker/dockerfile:1
# Image of the controllers: four static binaries and nothing else.
#
#     docker build -t registry.example.org/function-mesh:0.1.0 .
#     docker buildx build --platform linux/amd64,linux/arm64 -t registry.example.org/function-mesh:0.1.0 --push .
#
# Without Docker: `make image`. Set the command of a container to the controller that it runs: /function-controller,
# /source-controller, /sink-controller or /mesh-controller.

# Alpine's C library is musl, which Rust links statically. The digest is that of the image for all architectures.
FROM rust:1.95.0-alpine@sha256:606fd313a0f49743ee2a7bd49a0914bab7deedb12791f3a846a34a4711db7ed2 AS build
# jemalloc and ring are C.
RUN apk add --no-cache gcc make musl-dev
WORKDIR /src
# Use the toolchain of this image, without the components that only developers need.
ENV RUSTUP_TOOLCHAIN=1.95.0
COPY . .
# The builder caches cargo's downloads and build results, separately for each platform.
ARG TARGETPLATFORM
ARG TARGETARCH
# Kernels for arm64 have pages of 4, 16 or 64 KiB; jemalloc runs with all that are not larger than it was built for.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,id=function-mesh-target-${TARGETPLATFORM},target=/src/target,sharing=locked \
    if [ "$TARGETARCH" = arm64 ]; then export JEMALLOC_SYS_WITH_LG_PAGE=16; fi \
    && cargo build --locked --release \
        --package function-controller --package source-controller --package sink-controller --package mesh-controller \
    && mkdir /image \
    && for name in function source sink mesh; do cp "target/release/$name-controller" /image/; done

FROM scratch
COPY --from=build /image/ /
USER 65532:65532
WORKDIR /
