// Anthropic's own client for JavaScript. Arguments: the base URL, and what to do; prints one JSON value a line.
import Anthropic from "@anthropic-ai/sdk";

const [baseURL, what] = process.argv.slice(2);
const client = new Anthropic({ baseURL, apiKey: "sk-parrot", maxRetries: 0 });
const print = (value) => console.log(JSON.stringify(value));
const ask = (content, rest = {}) =>
  ({ model: "parrot", max_tokens: 10_000, messages: [{ role: "user", content }], ...rest });
const words = (count) => Array.from({ length: count }, (_, n) => `w${n}`).join(" ");

/// Prints the class of the error that `attempt` ends with, and what it says.
async function failure(attempt) {
  try {
    await attempt();
  } catch (error) {
    const { status, type, apiMessage, requestID } = error;
    return print({ class: error.constructor.name, status, type, message: apiMessage, requestID });
  }
  throw new Error("no error");
}

const cases = {
  async streaming() {
    for await (const event of await client.messages.create(ask("Who is there?", { stream: true }))) print(event);
  },

  async whole() {
    const message = await client.messages.create(ask("Who is there?"));
    print({ ...message, request_id: message._request_id });
    const blocks = [{ type: "text", text: "one two " }, { type: "text", text: "three four" }];
    print(await client.messages.create(ask(blocks, { max_tokens: 3 })));
  },

  async helper() {
    const stream = client.messages.stream(ask("Who is there?"));
    stream.on("connect", () => print(["connect"]));
    stream.on("text", (delta, snapshot) => print(["text", delta, snapshot]));
    stream.on("contentBlock", ({ type, text }) => print(["contentBlock", type, text]));
    stream.on("message", ({ role }) => print(["message", role]));
    stream.on("end", () => print(["end"]));
    const message = await stream.finalMessage();
    print([message.stop_reason, message.content[0].text, message.usage]);
    print({ request_id: stream.request_id });
  },

  async abort() {
    const stream = client.messages.stream(ask(words(1000)));
    let received = 0;
    stream.on("text", () => {
      if (++received === 3) stream.abort();
    });
    await failure(() => stream.finalMessage());
    print(received);
  },

  async timeout() {
    await failure(() => client.messages.create(ask(words(1000)), { timeout: 1000 }));
  },

  async errors() {
    const create = (key, request) => () => client.withOptions({ apiKey: key }).messages.create(request);
    await failure(create("sk-other", ask("hello", { stream: true })));
    await failure(create("sk-parrot", ask("hello", { model: "other", stream: true })));
    await failure(create("sk-parrot", ask("hello", { messages: [] })));
    await failure(create("sk-parrot", ask("hello", { max_tokens: undefined })));
    const tired = ask("one two three four", { model: "parrot-tired" });
    await failure(create("sk-parrot", tired));
    await failure(async () => {
      const stream = client.messages.stream(tired);
      stream.on("text", (delta) => print(delta));
      await stream.finalMessage();
    });
  },
};

await cases[what]();
