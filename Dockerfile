# Images: api (also for migrations and webhooks), worker, worker-gpu, training.
#
#   docker build --target worker -t hilbert-worker .
#
# Another base:       --build-arg PYTHON_IMAGE=registry.example.org/python:3.11-slim-bookworm@sha256:...
# Another index:      --secret id=pip,src=pip.conf   (available while packages are installed, stored in no layer)
# Local wheels:       in deploy/docker/wheels        (for torch without CUDA, or a machine without a network)
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

# Packages are installed in build stages; an image copies only the finished environment.
FROM ${PYTHON_IMAGE} AS building
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /opt/hilbert
COPY deploy/docker/install-hilbert /usr/local/bin/
COPY pyproject.toml constraints.txt README.md LICENSE ./

FROM building AS building-api
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=cache,target=/root/.cache/pip \
    --mount=source=deploy/docker,target=/wheels install-hilbert api
FROM building AS building-worker
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=cache,target=/root/.cache/pip \
    --mount=source=deploy/docker,target=/wheels install-hilbert worker
FROM building AS building-worker-gpu
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=cache,target=/root/.cache/pip \
    --mount=source=deploy/docker,target=/wheels install-hilbert worker-gpu
FROM building AS building-training
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=cache,target=/root/.cache/pip \
    --mount=source=deploy/docker,target=/wheels install-hilbert training

# The base of every image. Volumes made from these folders belong to the account, which can write nowhere else.
FROM ${PYTHON_IMAGE} AS base
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends tini \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/log/dpkg.log /var/log/apt /var/log/alternatives.log \
 && groupadd --gid 10001 hilbert \
 && useradd --uid 10001 --gid hilbert --no-create-home --home-dir /var/lib/hilbert --shell /usr/sbin/nologin hilbert \
 && install -d -o hilbert -g hilbert -m 0700 /var/lib/hilbert /srv/objects \
 && install -d -o hilbert -g hilbert -m 0755 /srv/bundles \
 && install -d /usr/share/sbom && dpkg-query -W -f '${Package} ${Version} ${Architecture}\n' >/usr/share/sbom/debian.txt
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HILBERT_ENVIRONMENT=production \
    HILBERT_HOST=0.0.0.0 \
    HILBERT_DATA_DIR=/var/lib/hilbert \
    HILBERT_OBJECT_STORE_URL=file:///srv/objects \
    HILBERT_BUNDLE=/srv/bundles/current
COPY deploy/docker/healthcheck /usr/local/bin/
WORKDIR /opt/hilbert
ENTRYPOINT ["tini", "--", "hilbert"]

# Worker images contain the demonstration bundle; a new volume for bundles starts with it.
FROM base AS with-bundle
COPY --chown=hilbert examples/bundle /srv/bundles/demonstration
COPY examples/bundle.pub examples/interview.flac examples/interview.vtt examples/
RUN ln -s demonstration /srv/bundles/current

FROM base AS api
COPY --from=building-api /opt/venv /opt/venv
COPY pyproject.toml ./
COPY service service
USER hilbert
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s --retries=3 CMD ["healthcheck", "api"]
CMD ["api"]

FROM with-bundle AS worker
COPY --from=building-worker /opt/venv /opt/venv
COPY pyproject.toml ./
COPY model model
COPY service service
USER hilbert
HEALTHCHECK --interval=5s --timeout=4s --start-period=120s --retries=3 CMD ["healthcheck", "worker"]
CMD ["worker"]

# CUDA and cuDNN come as NVIDIA's Python packages; the driver comes from the host.
FROM with-bundle AS worker-gpu
COPY --from=building-worker-gpu /opt/venv /opt/venv
COPY pyproject.toml ./
COPY model model
COPY service service
ENV HILBERT_DEVICE=cuda NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER hilbert
HEALTHCHECK --interval=5s --timeout=4s --start-period=300s --retries=3 CMD ["healthcheck", "worker"]
CMD ["worker"]

# For researchers: from cohorts to signed bundles. It runs no server, so it has no health check.
FROM with-bundle AS training
COPY --from=building-training /opt/venv /opt/venv
COPY pyproject.toml ./
COPY model model
COPY training training
COPY service service
ENV HILBERT_ENVIRONMENT=embedded
USER hilbert
WORKDIR /work
HEALTHCHECK NONE
ENTRYPOINT ["tini", "--", "hilbert-train"]
CMD ["--help"]
