# syntax=docker/dockerfile:1
# `make all` without an installation; README.md, "In a container", tells how to build and run it.

# A tag can be given to another image later. To pin this one for good, append the digest that
# `docker buildx imagetools inspect python:3.11.14-slim-bookworm` shows: FROM name:tag@sha256:...
FROM python:3.11.14-slim-bookworm AS python

# ---- the packages, in the tested versions; made anew only when these two files change ----------
FROM python AS packages
WORKDIR /build
COPY pyproject.toml constraints.txt ./
# --only-binary: a package that is built here would bring tools that no file of ours pins.
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" > requirements.txt \
    && python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install --no-cache-dir --only-binary :all: \
        --requirement requirements.txt --constraint constraints.txt

# ---- the code ----------------------------------------------------------------------------------
FROM python AS code
RUN apt-get update \
    && apt-get install --yes --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/*
COPY --from=packages /opt/venv /opt/venv
# VENV: make uses the interpreter at hand.  HOME: a folder that exists for any --user.
ENV PATH=/opt/venv/bin:$PATH VENV="" HOME=/tmp
WORKDIR /app
COPY Makefile pyproject.toml constraints.txt LICENSE DATA_LICENSES.md ./
COPY pipeline pipeline
# Readable whatever the umask of the checkout was. Only the folders of artefacts can be written,
# and by anybody: a volume that is mounted there takes over their mode. The code is not compiled
# in advance, because `make clean` could not remove what that leaves.
RUN chmod -R a+rX . \
    && mkdir -m 777 data submissions

# ---- the competition's digits, if the build is given a token -----------------------------------
# They are put where Kaggle has them in its notebooks, so that SOURCE=auto finds them, also when
# an empty data folder is mounted. The token is a file in this one step: it is in no layer, no
# variable and no history.
FROM code AS digits
RUN --mount=type=secret,id=kaggle_token \
    mkdir -p /kaggle/input/digit-recognizer \
    && if [ -s /run/secrets/kaggle_token ]; then \
        KAGGLE_API_TOKEN=/run/secrets/kaggle_token \
            python -m pipeline download --source kaggle --data /build \
        && cp /build/raw/kaggle/*.csv /kaggle/input/digit-recognizer; \
    else \
        echo "There is no secret kaggle_token: the image gets no digits of the competition."; \
    fi

# ---- what is run -------------------------------------------------------------------------------
FROM code
COPY --from=digits /kaggle /kaggle
# Without .git in the image, records name the commit that the build was given.
ARG COMMIT=""
ENV DIGITS_COMMIT=$COMMIT
# The uid of the first user on most machines; any other works as well (--user).
USER 1000:1000
CMD ["make", "all"]
