# syntax=docker/dockerfile:1
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN apt-get -qq update && apt-get -qq install --no-install-recommends gcc libc6-dev
WORKDIR /src
RUN python -m venv /opt/worker
COPY requirements/run.txt requirements/run.txt
RUN /opt/worker/bin/pip install --require-hashes -r requirements/run.txt
COPY . .
RUN /opt/worker/bin/pip wheel --no-deps --no-build-isolation --no-index --wheel-dir /wheels . \
 && /opt/worker/bin/pip install --no-deps --no-index /wheels/*.whl \
 && /opt/worker/bin/pip uninstall --yes editables hatchling setuptools pip

FROM python:${PYTHON}-slim
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="openscale-payload-worker" \
      org.opencontainers.image.description="Kafka ingestion worker for IBM AI OpenScale payload logging" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN groupadd --gid 10001 worker && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin worker
COPY --from=build /opt/worker /opt/worker
ENV PATH=/opt/worker/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /tmp
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["payload-worker"]
CMD ["run"]
