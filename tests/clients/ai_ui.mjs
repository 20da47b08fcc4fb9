// Vercel's AI SDK as its hooks use it, without their framework. Arguments: the server, and what to do; prints one JSON
// value a line.
import { AbstractChat, DefaultChatTransport, readUIMessageStream } from "ai";

const [server, what] = process.argv.slice(2);
const print = (value) => console.log(JSON.stringify(value));
const words = (count) => Array.from({ length: count }, (_, n) => `w${n}`).join(" ");
const transport = (body) => new DefaultChatTransport({ api: `${server}/api/chat`, body });
const textOf = (message) => message.parts.filter((part) => part.type === "text").map((part) => part.text).join("");

/// Begins an answer, below the hooks.
const answer = (text, abortSignal) =>
  transport().sendMessages({
    chatId: "chat-1",
    messages: [{ id: "user-1", role: "user", parts: [{ type: "text", text }] }],
    trigger: "submit-message",
    abortSignal,
  });

/// The `Chat` behind `useChat`, with nobody to draw it: tells what a component would be told.
class Chat extends AbstractChat {
  constructor(body) {
    const state = {
      messages: [],
      error: undefined,
      was: "ready",
      get status() {
        return this.was;
      },
      set status(status) {
        print(["status", (this.was = status)]);
      },
      pushMessage: (message) => state.replaceMessage(state.messages.length, message),
      popMessage: () => state.messages.pop(),
      replaceMessage: (index, message) => {
        state.messages[index] = structuredClone(message);
        this.shown?.(textOf(message), message.role);
      },
      snapshot: structuredClone,
    };
    const onFinish = ({ message, isAbort, isDisconnect, isError, finishReason }) =>
      print(["finish", { isAbort, isDisconnect, isError, finishReason, metadata: message.metadata }]);
    super({ state, transport: transport(body), onFinish });
  }
}

const cases = {
  async chunks() {
    for await (const chunk of await answer("Who is there?")) print(chunk);
  },

  async messages() {
    for await (const message of readUIMessageStream({ stream: await answer("Who is there?") })) {
      print([message.role, textOf(message), message.metadata ?? null]);
    }
  },

  async chat() {
    const chat = new Chat();
    await chat.sendMessage({ text: "Who is there?" });
    await chat.sendMessage({ text: "Nobody." });
    await chat.regenerate();
    print(chat.messages.map((message) => [message.role, textOf(message)]));
    print([chat.messages.at(-1).parts, chat.error ?? null]);
  },

  async abort() {
    const chat = new Chat();
    chat.shown = (text, role) => {
      if (role === "assistant" && text.split(" ").length > 3) chat.stop();
    };
    await chat.sendMessage({ text: words(1000) });
    print(textOf(chat.messages[1]).startsWith("w0 w1 w2 "));
  },

  async errors() {
    const tired = new Chat({ model: "parrot-tired" });
    await tired.sendMessage({ text: "one two three four" });
    print([tired.error.message, textOf(tired.messages[1])]);
    const unknown = new Chat({ model: "other" });
    await unknown.sendMessage({ text: "hello" });
    print([unknown.error.constructor.name, unknown.error.statusCode, unknown.error.message]);
  },

  async resume() {
    print(await transport().reconnectToStream({ chatId: "chat-1" }));
  },
};

await cases[what]();
