// Transcriptions and translations of sound, which is what troupe transcribe makes of the same file. Without the reference models: skipped.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createReadStream, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { all_of, program, serve, storyteller, temporary_folder, test_openai } from "./support.mjs";

const whisper = join(process.env.TROUPE_REFERENCES ?? "/nowhere", "hf/whisper");

/// A WAV of 16 bits: two tones in turn.
function write_wav(path, seconds) {
  const rate = 16000, count = Math.round(rate * seconds), file = Buffer.alloc(44 + 2 * count);
  file.write("RIFF", 0);
  file.writeUInt32LE(36 + 2 * count, 4);
  file.write("WAVEfmt ", 8);
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(rate, 24);
  file.writeUInt32LE(2 * rate, 28);
  file.writeUInt16LE(2, 32);
  file.writeUInt16LE(16, 34);
  file.write("data", 36);
  file.writeUInt32LE(2 * count, 40);
  for (let i = 0; i < count; ++i)
    file.writeInt16LE(Math.round(9000 * Math.sin((2 * Math.PI * i * (i % 8000 < 4000 ? 310 : 870)) / rate)), 44 + 2 * i);
  writeFileSync(path, file);
  return path;
}

if (!existsSync(whisper)) {
  test("sound", { skip: "no " + whisper }, () => {});
} else {
  const one = serve("-m", `whisper=${whisper}`, "-m", `story=${storyteller}`);
  const wav = write_wav(join(temporary_folder(), "sound.wav"), 1.7);
  const asked = (more = {}) => ({ file: createReadStream(wav), model: "whisper", language: "en", ...more });
  const printed = (...options) => execFileSync(program, ["transcribe", "-m", whisper, "--quiet", wav, ...options], { encoding: "utf8" });
  const heard = () => JSON.parse(printed("--json", "--language", "en"));

  test_openai(one, "a transcription is that of troupe transcribe, in every form", async (client) => {
    const expected = heard(), create = (more) => client.audio.transcriptions.create(asked(more));
    assert.equal((await create({})).text, expected.text);
    assert.equal(await create({ response_format: "text" }), expected.text + "\n");
    const verbose = await create({ response_format: "verbose_json", timestamp_granularities: ["segment"] });
    assert.deepEqual([verbose.text, verbose.language, verbose.task], [expected.text, "en", "transcribe"]);
    assert.ok(expected.segments.length >= 1);
    assert.ok(verbose.segments.every(({ seek, start }) => seek <= 100 * start + 1));
    assert.deepEqual(verbose.segments.map(({ start, end, text, tokens }) => ({ start, end, text, tokens })),
      expected.segments.map(({ start, end, text, tokens }) => ({ start, end, text, tokens })));
    assert.equal(await create({ response_format: "srt" }), printed("--format", "srt", "--language", "en"));
    assert.equal(await create({ response_format: "vtt" }), printed("--format", "vtt", "--language", "en"));
  });

  test_openai(one, "a translation is that of troupe transcribe --translate", async (client) => {
    const expected = JSON.parse(printed("--json", "--translate"));
    assert.equal((await client.audio.translations.create({ file: createReadStream(wav), model: "whisper" })).text, expected.text);
  });

  test_openai(one, "a stream's pieces make up the text", async (client) => {
    const events = await all_of(await client.audio.transcriptions.create(asked({ stream: true })));
    const deltas = events.filter((event) => event.type === "transcript.text.delta");
    assert.ok(deltas.length >= 1);
    assert.equal(events.at(-1).type, "transcript.text.done");
    assert.equal(deltas.map((event) => event.delta).join(""), events.at(-1).text);
    assert.equal(events.at(-1).text, heard().text);
  });

  test_openai(one, "what cannot be heard is one clear error", async (client, OpenAI) => {
    const refused = async (asked_for, field, code) =>
      await assert.rejects(client.audio.transcriptions.create(asked_for), (error) => {
        assert.ok(error instanceof OpenAI.BadRequestError, String(error));
        assert.deepEqual([error.param, error.code], [field, code]);
        return true;
      });
    await refused(asked({ model: "story" }), "model", "unsupported_model");
    await refused(asked({ response_format: "xml" }), "response_format", "invalid_value");
    await refused(asked({ temperature: 7 }), "temperature", "invalid_value");
    await refused(asked({ response_format: "verbose_json", timestamp_granularities: ["word"] }), "timestamp_granularities", "invalid_value");
    await refused(asked({ file: new File(["no sound"], "sound.wav") }), "file", "invalid_audio");
    await refused(asked({ language: "xx" }), "language", "invalid_value");
  });

  // A sound of many windows is one request, from its first to its last.
  const upload = (to, path, more = {}, headers = {}) => {
    const body = new FormData();
    for (const [name, value] of Object.entries({ model: "whisper", language: "en", ...more })) body.append(name, value);
    body.append("file", new Blob([readFileSync(path)]), "sound.wav");
    return to.fetch("/v1/audio/transcriptions", { method: "POST", body, headers });
  };
  const long = write_wav(join(temporary_folder(), "long.wav"), 60), short = write_wav(join(temporary_folder(), "short.wav"), 0.4);
  const keys = join(temporary_folder(), "keys");
  writeFileSync(keys, "key-of-one name=one requests=1\nkey-of-other name=other\n");
  const locked = serve("-m", `whisper=${whisper}`, "--api-key-file", keys);

  test("a key's place is held by a sound until it has been heard to the end", async () => {
    const as = (key) => ({ authorization: `Bearer key-of-${key}` });
    let is_over = false;
    const first = upload(locked, long, {}, as("one")).finally(() => (is_over = true));
    await new Promise((resolve) => setTimeout(resolve, 100));
    let refused = 0;
    while (!is_over) {
      const answer = await upload(locked, short, {}, as("one"));
      await answer.arrayBuffer();
      if (!is_over) assert.equal(answer.status, 429);
      refused += answer.status === 429;
      assert.equal((await upload(locked, short, {}, as("other"))).status, 200);
    }
    assert.equal((await first).status, 200);
    assert.ok(refused > 0);
    assert.equal((await upload(locked, short, {}, as("one"))).status, 200);
  });

  test("a sound is cancelled by its name whatever is done for it just now, and when its client goes", async () => {
    for (let i = 0; i < 12; ++i) {
      const id = `sound-${i}`, answer = upload(one, long, {}, { "x-request-id": id });
      await new Promise((resolve) => setTimeout(resolve, 60 + 7 * i));
      const cancelled = await one.fetch(`/v1/requests/${id}/cancel`, { method: "POST" });
      assert.equal(cancelled.status, 200, `request ${i}: ${await cancelled.text()}`);
      assert.equal((await answer).status, 499);
    }
    const leaving = new AbortController(), body = new FormData();
    body.append("model", "whisper");
    body.append("file", new Blob([readFileSync(long)]), "sound.wav");
    const asked = one.fetch("/v1/audio/transcriptions", { method: "POST", body, signal: leaving.signal, headers: { "x-request-id": "gone" } });
    setTimeout(() => leaving.abort(), 80);
    await assert.rejects(asked, { name: "AbortError" });
    for (let status = 200; status !== 404;) ({ status } = await one.fetch("/v1/requests/gone/cancel", { method: "POST" }));
  });

  test("many sounds at once wait for the processors in their order, and metrics are there meanwhile", async () => {
    const all = Array.from({ length: 40 }, () => upload(one, wav).then(async (answer) => [answer.status, (await answer.json()).text]));
    for (let i = 0; i < 5; ++i) assert.equal((await one.fetch("/metrics")).status, 200);
    const texts = await Promise.all(all), { text } = heard();
    assert.deepEqual(texts, Array.from({ length: 40 }, () => [200, text]));
  });

  test("a text is no prompt for a model that listens", async () => {
    for (const [path, body] of [["/v1/completions", { prompt: "a" }], ["/v1/messages", { max_tokens: 3, messages: [{ role: "user", content: "a" }] }]]) {
      const answer = await one.post(path, { model: "whisper", ...body });
      assert.equal(answer.status, 400, JSON.stringify(answer.body));
      assert.match(answer.body.error.message, /takes sound and no prompt/);
    }
  });

  test("hostile forms get one error each, and the server lives on", async () => {
    const send = async (type, body) => {
      const answer = await one.fetch("/v1/audio/transcriptions", { method: "POST", body, headers: { "content-type": type } });
      return [answer.status, (await answer.json()).error?.code];
    };
    const form = "multipart/form-data; boundary=x";
    assert.deepEqual(await send("application/json", "{}"), [415, "unsupported_media_type"]);
    for (const [type, body] of [["multipart/form-data", "--x--"], [form, ""], [form, "nothing"], [form, "--x"], [form, "--x\r\n"],
      [form, "--x\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\nabc"], [form, "--x\r\nno head\r\n\r\nabc\r\n--x--"],
      [form, "--x\r\na: b\r\n\r\nabc\r\n--x--"], [form, "--x\r\n" + "a: b\r\n".repeat(9999)],
      [form, "--x\r\ncontent-disposition: form-data; name=a\r\n\r\n1\r\n".repeat(99) + "--x--"]])
      assert.deepEqual(await send(type, body), [400, "invalid_form"], body.slice(0, 60));
    assert.deepEqual(await send(form, "--x--"), [400, "invalid_value"]); // Without a file.
    const bytes = readFileSync(wav);
    for (let length = 0; length < 200; length += 7) {
      const body = new FormData();
      body.append("model", "whisper");
      body.append("file", new Blob([bytes.subarray(0, length)]), "sound.wav");
      const answer = await one.fetch("/v1/audio/transcriptions", { method: "POST", body });
      assert.ok([200, 400].includes(answer.status), `${length} bytes: ${answer.status}`);
      await answer.arrayBuffer();
    }
  });
}
