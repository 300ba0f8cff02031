# syntax=docker/dockerfile:1
# The Make targets in an image, with the digits already in it: see docs/container.md.
FROM python:3.11.14-slim-bookworm
RUN apt-get update && apt-get install --yes --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY . .
# VENV: make uses the image's own interpreter.  HOME: a folder that any user may write to.
# DIGITS_COMMIT: there is no git in the image, so that records name the commit that is given here.
ARG COMMIT=""
ENV VENV="" HOME=/tmp DIGITS_COMMIT=$COMMIT
RUN make install
# Without a token these are the practice digits. The token is in the environment of this step alone.
RUN --mount=type=secret,id=kaggle_token,env=KAGGLE_API_TOKEN \
    make download && mkdir -p submissions && chmod -R a+rwX data submissions
USER 1000:1000
CMD ["make", "all"]
