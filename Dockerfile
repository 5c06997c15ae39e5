# usage_watch as an image: `docker build -t usage-watch:0.1.0 .`; deploy/README.md says how it is run.
#
# A tag can be another image tomorrow. For builds that can be repeated give BASE by its digest
# (python:3.11-slim-bookworm@sha256:…), and leave it to a bot such as Renovate to raise it.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
WORKDIR /src
RUN python3 -m venv /opt/usage-watch
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY usage_watch usage_watch
RUN /opt/usage-watch/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt '.[png]'

FROM ${BASE}
LABEL org.opencontainers.image.title="usage-watch" \
      org.opencontainers.image.description="Watches an organization's usage of Perplexity Computer and tells people in time, once, with the reason." \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT AND Bitstream-Vera"

# Python's images leave out the compiled standard library, and nobody may write it later: every start, and the health
# check twice a minute, would compile what they import anew.
RUN python3 -m compileall -q -x '/(test|tests|idlelib|lib2to3|tkinter|turtledemo|ensurepip|dist-packages|site-packages)/' \
        "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
    && install -d -o 10001 -g 10001 -m 0700 /data

COPY --from=build /opt/usage-watch /opt/usage-watch

# numpy would start a thread for each processor of the machine; what is computed here needs one.
ENV PATH=/opt/usage-watch/bin:$PATH \
    OPENBLAS_NUM_THREADS=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    USAGE_WATCH_CONFIG=/etc/usage-watch/rules.yaml \
    USAGE_WATCH_STORE=/data/usage-watch.db

# By number, so that Kubernetes can see that it is not root.
USER 10001:10001
# The only place that is written: the root may be read-only, and /tmp is not needed.
WORKDIR /data
VOLUME /data
# What is served, where `web` in the rules file listens on 0.0.0.0:8321.
EXPOSE 8321

STOPSIGNAL SIGTERM
# It is healthy from its first turn on, while a long first fetch is under way, too.
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 CMD ["usage-watch", "health"]
ENTRYPOINT ["usage-watch"]
CMD ["run"]
