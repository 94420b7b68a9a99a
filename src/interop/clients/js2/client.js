// A task as it would be written with the AWS SDK for JavaScript v2 and its default credential chain.
const { once } = require("node:events");
const AWS = require("aws-sdk");

async function put(Bucket, Key) {
  // A chain of its own, so that credentials are loaded anew; v2 knows no variable for the endpoint.
  const credentials = await new AWS.CredentialProviderChain().resolvePromise();
  const s3 = new AWS.S3({
    credentials,
    endpoint: process.env.AWS_ENDPOINT_URL_S3,
    region: process.env.AWS_REGION,
    s3ForcePathStyle: true,
    signatureVersion: "v4",
  });
  await s3.putObject({ Bucket, Key, Body: "content" }).promise();
}

async function main() {
  const [mode, bucket, key] = process.argv.slice(2);
  try {
    await put(bucket, key);
    if (mode === "put-twice") {
      console.log("FIRST");
      await once(process.stdin, "data");
      await put(bucket, key);
    }
    console.log("OK");
    process.exit(0);
  } catch (e) {
    console.log("ERR", e.name + ": " + e.message);
    process.exit(1);
  }
}

main();
