// OpenAI's own client for JavaScript. Arguments: the base URL, and what to do; prints one JSON value a line.
import OpenAI from "openai";

const [baseURL, what] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "sk-parrot", maxRetries: 0 });
const print = (value) => console.log(JSON.stringify(value));
const ask = (content, rest = {}) => ({ model: "parrot", messages: [{ role: "user", content }], ...rest });
const words = (count) => Array.from({ length: count }, (_, n) => `w${n}`).join(" ");

/// Prints the class of the error that `attempt` ends with, and what it says.
async function failure(attempt) {
  try {
    await attempt();
  } catch (error) {
    const { status, type, code, param, message } = error;
    return print({ class: error.constructor.name, status, type, code, param, message });
  }
  throw new Error("no error");
}

const cases = {
  async streaming() {
    const request = ask("Who is there?", { stream: true, stream_options: { include_usage: true } });
    for await (const chunk of await client.chat.completions.create(request)) print(chunk);
  },

  async whole() {
    print(await client.chat.completions.create(ask("Who is there?", { stream: false })));
    const parts = [{ type: "text", text: "one two " }, { type: "text", text: "three four" }];
    print(await client.chat.completions.create(ask(parts, { max_completion_tokens: 3 })));
  },

  async helper() {
    const stream = client.chat.completions.stream(ask("Who is there?"));
    stream.on("connect", () => print(["connect"]));
    stream.on("content", (delta, snapshot) => print(["content", delta, snapshot]));
    stream.on("content.done", ({ content }) => print(["content.done", content]));
    stream.on("finalMessage", ({ role, content }) => print(["finalMessage", role, content]));
    stream.on("end", () => print(["end"]));
    const { object, choices } = await stream.finalChatCompletion();
    print([object, choices[0].finish_reason, choices[0].message.content]);
  },

  async abort() {
    const stream = await client.chat.completions.create(ask(words(1000), { stream: true }));
    let received = 0;
    for await (const chunk of stream) {
      if (chunk.choices[0].delta.content && ++received === 3) stream.controller.abort();
    }
    print(received);
  },

  async timeout() {
    await failure(() => client.chat.completions.create(ask(words(1000)), { timeout: 1000 }));
  },

  async errors() {
    const create = (key, request) => () => client.withOptions({ apiKey: key }).chat.completions.create(request);
    await failure(create("sk-other", ask("hello", { stream: true })));
    await failure(create("sk-parrot", ask("hello", { model: "gpt-9", stream: true })));
    await failure(create("sk-parrot", { model: "parrot", messages: [] }));
    await failure(create("sk-parrot", { model: "parrot" }));
    await failure(create("sk-parrot", ask("one two three four", { model: "parrot-tired" })));
    await failure(async () => {
      const stream = await create("sk-parrot", ask("one two three four", { model: "parrot-tired", stream: true }))();
      for await (const chunk of stream) print(chunk.choices[0].delta.content);
    });
  },
};

await cases[what]();
