// node render.js MODEL_FOLDER CONVERSATIONS: renders conversations.json with the model's chat template by @huggingface/jinja and
// writes {name: text}, null where the template fails. The date is fixed.
const fs = require('fs');
const path = require('path');
const { Template } = require('@huggingface/jinja');
const config = JSON.parse(fs.readFileSync(path.join(process.argv[2], 'tokenizer_config.json'), 'utf8'));
const content = (t) => (t && typeof t === 'object' ? t.content : t);
const tokens = {};
for (const k of ['bos_token', 'eos_token', 'pad_token', 'unk_token']) if (content(config[k])) tokens[k] = content(config[k]);
const template = new Template(config.chat_template);
const out = {};
for (const c of JSON.parse(fs.readFileSync(process.argv[3], 'utf8'))) {
  try {
    out[c.name] = template.render({
      ...tokens, date_string: '09 Mar 2025', messages: c.messages, add_generation_prompt: c.prompt, ...c.variables,
    });
  } catch (e) {
    out[c.name] = null;
  }
}
process.stdout.write(JSON.stringify(out));
