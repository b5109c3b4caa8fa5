# syntax=docker/dockerfile:1
# One image for worker, trainer and tools: docker build -t stream-app .
# What it is and how it is run: docs/deploy.md.

# A tag can be moved by its owner, a digest cannot. To build from what you have looked at, append
# the digest that `docker buildx imagetools inspect python:3.13.15-slim-trixie` prints first:
# FROM python:3.13.15-slim-trixie@sha256:… AS python
FROM python:3.13.15-slim-trixie AS python
ENV PIP_NO_CACHE_DIR=1

# Dependencies before the program: a change of the program alone does not install them anew.
FROM python AS build
WORKDIR /src
COPY deploy/image/ deploy/image/
COPY requirements.lock ./
RUN sh deploy/image/install.sh dependencies /opt/stream-app requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY schemas/ schemas/
COPY stream_app/ stream_app/
RUN sh deploy/image/install.sh program /opt/stream-app

# The same with the demo's data (and the embedded Kafka's Java, which is in the same lock file).
FROM python AS build-demo
WORKDIR /src
COPY deploy/image/ deploy/image/
COPY requirements-demo.lock ./
RUN sh deploy/image/install.sh dependencies /opt/stream-app requirements-demo.lock
COPY pyproject.toml README.md LICENSE ./
COPY schemas/ schemas/
COPY stream_app/ stream_app/
RUN sh deploy/image/install.sh program /opt/stream-app

# What both images have. The slim image has no compiler; without pip nothing more is installed.
FROM python AS base
RUN python -m pip uninstall --yes pip
COPY deploy/image/healthcheck.py /opt/healthcheck.py
ENV PATH=/opt/stream-app/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# A number, so that Kubernetes can see that it is not root. It owns no file: /tmp is all that it can
# write to, and all that has to be writable.
USER 10001:10001
WORKDIR /tmp
EXPOSE 6066
# Kubernetes has probes of its own and ignores this.
HEALTHCHECK --interval=15s --timeout=6s --start-period=60s --retries=3 \
    CMD ["python", "/opt/healthcheck.py"]
ENTRYPOINT ["stream-app"]
CMD ["--help"]
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="stream-app" \
      org.opencontainers.image.description="Tags shop users while they shop: Kafka in, explained tag changes out, exactly once." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="docker.io/library/python:3.13.15-slim-trixie"

FROM base AS demo
COPY --from=build-demo /opt/stream-app /opt/stream-app

# The last one is what a build without --target makes.
FROM base AS program
COPY --from=build /opt/stream-app /opt/stream-app
