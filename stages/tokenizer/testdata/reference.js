// node reference.js TOKENIZER_JSON <LINES >LINES: reads a text (a JSON string) or token ids (an array) a line and writes
// {"ids", "plain", "full"}: the ids by Hugging Face's tokenizers, and what they decode to without and with special tokens.
const { Tokenizer } = require('@anush008/tokenizers');
const lines = require('readline').createInterface({ input: process.stdin });
(async () => {
  const t = await Tokenizer.fromFile(process.argv[2]);
  const out = [];
  for await (const line of lines) {
    let ids = JSON.parse(line);
    if (typeof ids === 'string') ids = Array.from((await t.encode(ids, null, { addSpecialTokens: false })).getIds()).map(Number);
    out.push(JSON.stringify({ ids, plain: await t.decode(ids, true), full: await t.decode(ids, false) }));
  }
  process.stdout.write(out.join('\n') + '\n');
})();
