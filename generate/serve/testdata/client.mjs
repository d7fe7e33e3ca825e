// Drives a server with OpenAI's own client: node client.mjs URL. Prints one JSON object of findings;
// anything unexpected is an exception. The package `openai` is found by the module path of the folder
// that the test names (OPENAI_MODULE).
import assert from 'node:assert/strict';

const { default: OpenAI } = await import(process.env.OPENAI_MODULE);
const client = new OpenAI({ baseURL: process.argv[2] + '/v1', apiKey: 'secret', maxRetries: 0 });
const messages = [{ role: 'user', content: '12+7*3' }];
const ask = { model: 'tiny', messages, max_tokens: 60, temperature: 0.8, seed: 7 };

const models = [];
for await (const m of client.models.list()) models.push(m.id);
assert.deepEqual(models, ['tiny']);

// chat, twice the same; n = 4; log-probabilities
const one = await client.chat.completions.create(ask);
const two = await client.chat.completions.create(ask);
assert.equal(one.choices[0].message.content, two.choices[0].message.content);
assert.equal(one.usage.total_tokens, one.usage.prompt_tokens + one.usage.completion_tokens);
const four = await client.chat.completions.create({ ...ask, n: 4, logprobs: true, top_logprobs: 5 });
assert.equal(four.choices.length, 4);
assert.equal(four.choices[0].message.content, one.choices[0].message.content);
for (const c of four.choices) {
  const text = c.logprobs.content.map((t) => t.token).join('');
  assert.equal(text, c.message.content);
  for (const t of c.logprobs.content) {
    assert(t.logprob <= 0 && t.top_logprobs.length === 5);
    assert.equal(Buffer.from(t.bytes).toString(), t.token);
  }
}

// streaming, four choices interleaved
const parts = {};
let finished = 0;
let usage;
const stream = await client.chat.completions.create({ ...ask, n: 4, stream: true, stream_options: { include_usage: true } });
for await (const chunk of stream) {
  if (chunk.usage) usage = chunk.usage;
  for (const c of chunk.choices) {
    parts[c.index] = (parts[c.index] ?? '') + (c.delta.content ?? '');
    if (c.finish_reason) finished++;
  }
}
assert.equal(finished, 4);
for (const c of four.choices) assert.equal(parts[c.index], c.message.content);
assert.deepEqual(usage, four.usage);

// the client's own accumulator of streams
const runner = client.chat.completions.stream({ ...ask });
assert.equal(await runner.finalContent(), one.choices[0].message.content);

// stop strings, completions
const text = one.choices[0].message.content;
const stop = text.slice(4, 7);
const stopped = await client.chat.completions.create({ ...ask, stop });
assert.equal(stopped.choices[0].message.content, text.slice(0, text.indexOf(stop)));
assert.equal(stopped.choices[0].finish_reason, 'stop');
const completion = await client.completions.create({ model: 'tiny', prompt: ['1+1=', '2+2='], max_tokens: 5, logprobs: 1, echo: true, seed: 1 });
assert.equal(completion.choices.length, 2);
assert(completion.choices[1].text.startsWith('2+2='));
assert.equal(completion.choices[0].logprobs.tokens.join(''), completion.choices[0].text);

// cancellation: the stream is left after its third chunk
const long = await client.completions.create({ model: 'tiny', prompt: '1', max_tokens: 1000, temperature: 3, stream: true, n: 8 });
let seen = 0;
for await (const _ of long) if (++seen === 3) break;
assert(long.controller.signal.aborted);

// errors become the client's exceptions
await assert.rejects(client.chat.completions.create({ ...ask, model: 'gpt-4' }), (e) => e.status === 404 && e.code === 'model_not_found');
await assert.rejects(client.chat.completions.create({ ...ask, messages: [] }), (e) => e.status === 400 && /messages/.test(e.message));
await assert.rejects(client.chat.completions.create({ ...ask, max_tokens: 99999 }), (e) => e.code === 'context_length_exceeded');
const stranger = new OpenAI({ baseURL: process.argv[2] + '/v1', apiKey: 'wrong', maxRetries: 0 });
await assert.rejects(stranger.models.list(), (e) => e.status === 401);

// 200 at once, each with its own answer
const alone = {};
for (let i = 0; i < 20; i++) alone[i] = (await client.chat.completions.create({ ...ask, messages: [{ role: 'user', content: `${i}+${i}` }] })).choices[0].message.content;
const all = await Promise.all(
  Array.from({ length: 200 }, (_, k) => client.chat.completions.create({ ...ask, messages: [{ role: 'user', content: `${k % 20}+${k % 20}` }] })),
);
all.forEach((r, k) => assert.equal(r.choices[0].message.content, alone[k % 20]));
console.log(JSON.stringify({ requests: all.length, content: text }));
