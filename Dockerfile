# syntax=docker/dockerfile:1
# docker build --build-arg EXTRAS=web,telegram -t greenroom .
# docker run -d --name greenroom --init --restart on-failure -v greenroom:/data -p 127.0.0.1:8765:8765 \
#     -v ./greenroom.toml:/etc/greenroom/greenroom.toml:ro -e GREENROOM_CONFIG=/etc/greenroom/greenroom.toml \
#     -e TELEGRAM_TOKEN greenroom
# The file must be readable by uid 10001. A browser outside reaches the web chat with host = "0.0.0.0" in [web], and allow in [policy].
# `docker stop -t 120 greenroom`: running work gets policy.drain_s to finish; the default 10 s cuts it short, which loses nothing.
FROM python:3.11-slim AS build
ARG EXTRAS=web
COPY . /src
RUN python -m venv /opt/greenroom && /opt/greenroom/bin/pip install --no-cache-dir "/src[${EXTRAS}]"

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin greenroom \
    && install -d -o greenroom -g greenroom -m 0700 /data
COPY --from=build /opt/greenroom /opt/greenroom
ENV PATH=/opt/greenroom/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    GREENROOM_STORE_PATH=/data/greenroom.db
USER greenroom
WORKDIR /data
VOLUME /data
STOPSIGNAL SIGTERM
# Its exit code is 3 where nothing serves this database, and 1 where what serves it is not ready.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["greenroom", "status", "--ready"]
ENTRYPOINT ["greenroom"]
CMD ["up"]
