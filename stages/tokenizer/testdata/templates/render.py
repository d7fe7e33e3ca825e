"""python3 render.py FOLDER >EXPECTED: reference renderings by Jinja2, set up as transformers' apply_chat_template does it.

FOLDER has conversations.json, templates (*.jinja) and language.json (small templates with their variables). The tokens
of each template are those of its model. transformers itself is not needed: its environment is what follows (an
ImmutableSandboxedEnvironment with trim_blocks and lstrip_blocks, loop controls, generation blocks, and three functions).
"""
import datetime, glob, json, os, sys
import jinja2, jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

TOKENS = {
    'qwen': {'eos_token': '<|im_end|>', 'pad_token': '<|endoftext|>'},
    'deepseek': {'bos_token': '<｜begin▁of▁sentence｜>', 'eos_token': '<｜end▁of▁sentence｜>', 'pad_token': '<｜end▁of▁sentence｜>'},
    'llama': {'bos_token': '<|begin_of_text|>', 'eos_token': '<|eot_id|>'},
}


class Generation(jinja2.ext.Extension):
    tags = {'generation'}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(['name:endgeneration'], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method('_text'), [], [], body).set_lineno(line)

    def _text(self, caller):
        return caller()


def environment():
    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
    env.filters['tojson'] = tojson
    env.globals['raise_exception'] = raise_exception
    env.globals['strftime_now'] = lambda f: datetime.datetime(2025, 3, 9, 14, 5, 7).strftime(f)
    return env


def render(source, variables):
    try:
        return environment().from_string(source).render(**variables)
    except Exception as e:
        return {'error': str(e)}


folder = sys.argv[1]
load = lambda name: json.load(open(os.path.join(folder, name), encoding='utf-8'))
out = {'templates': {}, 'language': []}
for path in sorted(glob.glob(os.path.join(folder, '*.jinja'))):
    name = os.path.basename(path)[:-len('.jinja')]
    source = open(path, encoding='utf-8', newline='').read()
    tokens = next(v for k, v in TOKENS.items() if name.startswith(k))
    out['templates'][name] = {c['name']: render(source, {
        'messages': c['messages'], 'tools': None, 'documents': None, 'add_generation_prompt': c['prompt'], **tokens, **c.get('variables', {}),
    }) for c in load('conversations.json')}
for case in load('language.json'):
    out['language'].append(render(case['template'], case.get('variables', {})))
json.dump(out, sys.stdout, ensure_ascii=False, indent=1)
print()
