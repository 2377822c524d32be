# l7meter as an image: docker build -t l7meter . && docker run --rm l7meter --help
#
# A run with everything read-only but the store:
#   docker run --rm --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
#     -v /etc/l7meter.toml:/etc/l7meter.toml:ro -v /var/log/cdn:/var/log/cdn:ro -v l7meter:/var/lib/l7meter \
#     l7meter run --config /etc/l7meter.toml
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/l7meter
WORKDIR /src
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY requirements/dev.txt requirements/
COPY queries/ queries/
COPY l7meter/ l7meter/
# The versions that are tested; what the package does not need is not installed.
RUN /opt/l7meter/bin/pip install --constraint requirements/dev.txt . \
    && /opt/l7meter/bin/python -m pip uninstall --yes pip

FROM python:3.13-slim
# 65532 is "nonroot" of what 'l7meter schedule kubernetes' writes.
RUN groupadd --gid 65532 l7meter && useradd --uid 65532 --gid 65532 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin l7meter \
    && install -d -o 65532 -g 65532 -m 0750 /var/lib/l7meter
COPY --from=build /opt/l7meter /opt/l7meter
ENV PATH=/opt/l7meter/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    L7METER_STORE=/var/lib/l7meter/store L7METER_REFDATA=/var/lib/l7meter/refdata L7METER_CONFIG=/etc/l7meter.toml
USER 65532:65532
WORKDIR /var/lib/l7meter
VOLUME /var/lib/l7meter
ENTRYPOINT ["l7meter"]
CMD ["--help"]
