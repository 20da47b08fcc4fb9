// Vercel's AI SDK, as a page uses it that is left in the middle of an answer and opened again. Arguments: the server, and
// what to do; prints one JSON value a line.
import { AbstractChat, DefaultChatTransport } from "ai";

const [server, what] = process.argv.slice(2);
const print = (value) => console.log(JSON.stringify(value));
const words = (count) => Array.from({ length: count }, (_, n) => `w${n}`).join(" ");
const textOf = (message) => message.parts.filter((part) => part.type === "text").map((part) => part.text).join("");
const statusOf = async (id, method = "GET") => (await fetch(`${server}/api/chat/${id}/stream`, { method })).status;

/// The `Chat` behind `useChat`. `seen` is called with each message as it grows.
class Chat extends AbstractChat {
  constructor({ id, messages = [], seen, transport = {} }) {
    const state = {
      messages,
      error: undefined,
      status: "ready",
      pushMessage: (message) => state.replaceMessage(state.messages.length, message),
      popMessage: () => state.messages.pop(),
      replaceMessage: (index, message) => {
        state.messages[index] = structuredClone(message);
        this.seen?.(textOf(message), message.role);
      },
      snapshot: structuredClone,
    };
    super({ id, state, transport: new DefaultChatTransport({ api: `${server}/api/chat`, ...transport }) });
    this.seen = seen;
  }
}

/// A page that asks, and is left when the answer has begun.
async function left(id, text) {
  const page = new Chat({
    id,
    seen: (text, role) => {
      if (role === "assistant" && text.split(" ").length > 5) page.stop();
    },
  });
  await page.sendMessage({ text });
  return page;
}

const cases = {
  async reload() {
    const page = await left("chat-1", words(60));
    const whole = words(60);
    const part = textOf(page.messages[1]);
    print([whole.startsWith(part), part.length > 0, part.length < whole.length]);
    // The server of an app has the question; what was seen of the answer is gone with the page.
    const again = new Chat({ id: "chat-1", messages: page.messages.slice(0, 1) });
    await again.resumeStream();
    print(again.messages.map((message) => [message.role, textOf(message) === whole, message.metadata ?? null]));
    print([again.status, again.error ?? null]);
    // It is over: nothing comes, and nothing changes.
    print(await statusOf("chat-1"));
    await again.resumeStream();
    print([again.status, again.messages.length]);
  },

  async network() {
    // The page is still there with what it had, and shows the answer in its place.
    const page = await left("chat-2", words(60));
    const before = textOf(page.messages[1]);
    page.seen = undefined;
    await page.resumeStream();
    const after = page.messages.map(textOf);
    print([before.length < after[1].length, after.length, after[1] === words(60)]);
  },

  async two() {
    const page = await left("chat-3", words(60));
    const question = () => page.messages.slice(0, 1);
    // One of them asks at an address of its app's.
    const prepareReconnectToStreamRequest = ({ id }) => ({ api: `${server}/api/chat/${id}/stream?tab=2` });
    const tabs = [
      new Chat({ id: "chat-3", messages: question() }),
      new Chat({ id: "chat-3", messages: question(), transport: { prepareReconnectToStreamRequest } }),
    ];
    await Promise.all(tabs.map((tab) => tab.resumeStream()));
    print(tabs.map((tab) => textOf(tab.messages[1]) === words(60)));
  },

  async stop() {
    await left("chat-4", words(1000));
    print(await statusOf("chat-4", "DELETE"));
  },

  async nothing() {
    const page = new Chat({ id: "nobody" });
    await page.resumeStream();
    print([page.status, page.messages, page.error ?? null, await statusOf("nobody")]);
  },
};

await cases[what]();
