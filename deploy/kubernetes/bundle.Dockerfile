# A bundle as an image, for components/bundle:
#
#   docker build -f deploy/kubernetes/bundle.Dockerfile --build-arg BASE_IMAGE=busybox:1.37 -t registry.example.org/hilbert-bundle:2.1 BUNDLE_FOLDER
#
# Of the base image only `cp` is used.
ARG BASE_IMAGE=debian:bookworm-slim
FROM ${BASE_IMAGE}
COPY --chmod=a+rX . /bundle
USER 10001:10001
