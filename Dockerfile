# Builds the action. On a runner GitHub builds this in every job that says
# "uses: codacy/codacy-project-tokens@…", unless action.yml names an image.

# BuildKit sets BUILDPLATFORM; the classic builder does not know it.
ARG BUILDPLATFORM=${BUILDPLATFORM:-linux/amd64}
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
WORKDIR /src

# The modules are a layer of their own, kept until go.mod or go.sum change.
COPY go.mod go.sum ./
RUN go mod download

COPY . .
# BuildKit sets these two; empty, they mean the machine that builds.
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=dev
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath \
    -ldflags "-s -w -X main.version=$VERSION" -o /codacy-project-tokens .

FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="codacy-project-tokens" \
      org.opencontainers.image.description="Creates Codacy project tokens and stores them, sealed, as GitHub secrets" \
      org.opencontainers.image.url="https://github.com/codacy/codacy-project-tokens" \
      org.opencontainers.image.source="https://github.com/codacy/codacy-project-tokens" \
      org.opencontainers.image.vendor="Codacy" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /codacy-project-tokens /codacy-project-tokens
COPY LICENSE THIRD_PARTY_NOTICES.txt /licenses/

# No USER and no WORKDIR: the runner mounts files that only root can write (the
# outputs, the summary, the workspace) and sets the working directory itself.
# See https://docs.github.com/en/actions/reference/workflows-and-actions/dockerfile-support.
ENTRYPOINT ["/codacy-project-tokens"]
