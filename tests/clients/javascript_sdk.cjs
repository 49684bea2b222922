// One call of the AWS SDK for JavaScript: `node javascript_sdk.cjs COMMAND PARAMETERS`, both as the SDK names them.
// Each thing that comes is a line of JSON, written when it comes. Where to go and whose key to take is in the
// environment; NODE_PATH has the SDK.
const sdk = require("@aws-sdk/client-lambda");

const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const text = (bytes) => Buffer.from(bytes ?? []).toString();

async function main([command, parameters]) {
  const client = new sdk.LambdaClient({ maxAttempts: 1 });
  const answer = await client.send(new sdk[`${command}Command`](JSON.parse(parameters)));
  const { EventStream: events, Payload: payload, $metadata: metadata, ...rest } = answer;
  say({ answer: rest, status: metadata.httpStatusCode, payload: text(payload) });
  for await (const event of events ?? []) {
    say(event.PayloadChunk ? { chunk: text(event.PayloadChunk.Payload) } : event);
  }
}

main(process.argv.slice(2)).catch((error) => {
  say({ error: error.name, message: error.message, status: error.$metadata?.httpStatusCode });
});
