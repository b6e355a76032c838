# docker build -t validator . && docker run --rm --network host -v "$PWD:/work" validator run SPEC
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY docs/*.schema.json docs/
COPY specs specs
COPY validator validator
RUN python -m venv /opt/validator \
    && /opt/validator/bin/pip install --no-cache-dir ".[demo,html,websocket,schema]"

FROM python:${PYTHON}-slim
COPY --from=build /opt/validator /opt/validator
RUN useradd --create-home --uid 10001 validator
ENV PATH=/opt/validator/bin:$PATH PYTHONUNBUFFERED=1
USER 10001
WORKDIR /work
ENTRYPOINT ["validator"]
CMD ["--help"]
