// A task as it would be written with the AWS SDK for JavaScript v3 and its default credential chain.
import { once } from "node:events";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";

async function put(Bucket, Key) {
  const s3 = new S3Client({ forcePathStyle: true });
  await s3.send(new PutObjectCommand({ Bucket, Key, Body: "content" }));
}

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
