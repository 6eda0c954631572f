# Soapstone with both databases. Build: docker build -t soapstone .   How this file is checked: docs/install.md
# Another base, such as one that your organization keeps, needs Python 3.11 to 3.14 and glibc or musl.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /build
COPY requirements/ requirements/
# What runs and what builds are kept apart: only /opt/soapstone goes into the image.
RUN python -m venv /opt/soapstone && python -m venv /opt/builder
RUN /opt/soapstone/bin/pip install --no-cache-dir --require-hashes -r requirements/image.txt
RUN /opt/builder/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt
COPY LICENSE README.md pyproject.toml ./
COPY docs/ docs/
COPY packaging/ packaging/
COPY src/ src/
RUN /opt/builder/bin/pip wheel --no-index --no-deps --no-build-isolation --wheel-dir dist .
RUN /opt/soapstone/bin/pip install --no-index --no-deps dist/*.whl
RUN /opt/soapstone/bin/python packaging/third_party_notices.py >/opt/soapstone/THIRD_PARTY_NOTICES

FROM ${BASE}
RUN groupadd --system --gid 10001 soapstone \
    && useradd --system --uid 10001 --gid soapstone --home-dir /data --shell /usr/sbin/nologin soapstone \
    && install --directory --owner soapstone --group soapstone --mode 0750 /data
COPY --from=build /opt/soapstone /opt/soapstone
ENV PATH=/opt/soapstone/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 SOAPSTONE_DATA_DIR=/data
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
CMD ["soapstone", "serve", "--host", "0.0.0.0", "--port", "8080"]
