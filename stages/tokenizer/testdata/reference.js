// node reference.js TOKENIZER_JSON <LINES >LINES: reads a text (a JSON string) or token ids (an array) a line and writes, for a
// text, its ids by Hugging Face's tokenizers; for ids, what they decode to without and with special tokens.
const { Tokenizer } = require('@anush008/tokenizers');
const lines = require('readline').createInterface({ input: process.stdin });
(async () => {
  const t = await Tokenizer.fromFile(process.argv[2]);
  for await (const line of lines) {
    const asked = JSON.parse(line);
    const answer = typeof asked === 'string'
      ? Array.from((await t.encode(asked, null, { addSpecialTokens: false })).getIds()).map(Number)
      : [await t.decode(asked, true), await t.decode(asked, false)];
    if (!process.stdout.write(JSON.stringify(answer) + '\n')) await new Promise((ready) => process.stdout.once('drain', ready));
  }
})();
