# A web application in two layers: the dependencies, more than fifty thousand small files,
# and the application's own.
FROM localhost/base AS build
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates npm
WORKDIR /srv/app
RUN printf '%s' '{"name": "app", "version": "1.0.0", "private": true, "dependencies": { \
      "@babel/core": "7.24.7", "@babel/preset-env": "7.24.7", "@emotion/react": "11.11.4", "@emotion/styled": "11.11.5", \
      "@mui/icons-material": "5.15.20", "@mui/material": "5.15.20", "antd": "5.18.3", "aws-sdk": "2.1650.0", "core-js": "3.37.1", \
      "date-fns": "3.6.0", "eslint": "8.57.0", "express": "4.19.2", "jest": "29.7.0", "lodash": "4.17.21", "lodash-es": "4.17.21", \
      "moment": "2.30.1", "next": "14.2.4", "react": "18.3.1", "react-dom": "18.3.1", "react-icons": "5.2.1", "rxjs": "7.8.1", \
      "storybook": "8.1.10", "three": "0.165.0", "typescript": "5.5.2", "webpack": "5.92.1" }}' > package.json \
 && NODE_EXTRA_CA_CERTS=/run/certificates.crt npm install --ignore-scripts --no-audit --no-fund --legacy-peer-deps --loglevel=error --cache /tmp/npm && rm -rf /tmp/npm
RUN mkdir /src && for number in $(seq 200); do echo "export const value$number = $number;" > /src/file$number.js; done

FROM scratch
COPY --from=build /srv/app /srv/app
COPY --from=build /src /srv/app/src
CMD ["node", "/srv/app/src/file1.js"]
