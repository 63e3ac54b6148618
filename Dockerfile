# One image for every process of the gateway; docker-compose.yml says which one a container runs.
ARG NODE_IMAGE=docker.io/library/node:24-bookworm-slim
FROM ${NODE_IMAGE}

WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The optional packages are another Node (this image has one) and native add-ons that the gateway runs without.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --cache=/tmp/npm && rm -rf /tmp/npm
COPY LICENSE ./
COPY shared ./shared
COPY api ./api
COPY providers ./providers
COPY worker ./worker
COPY sandbox ./sandbox
COPY dev ./dev
COPY cli ./cli

# The one writable folder: keys that are generated when none are configured (never in production). A named volume takes its owner from here.
RUN mkdir .data && chown node:node .data
USER node
ENV NODE_ENV=production HOST=0.0.0.0 PORT=4000
EXPOSE 4000
CMD ["node", "--disable-sigusr1", "api/main.ts"]
