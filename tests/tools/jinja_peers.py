"""Renders per second of chat templates: this project (tests/tools/jinja_driver.c) beside jinja2, in one run.

usage: jinja_peers.py DRIVER TOKENIZERS [FAMILY ...]

TOKENIZERS holds a folder per family with a chat_template.jinja or a tokenizer_config.json that has one. Each template is
compiled once and renders a chat of ten messages many times; the two take turns, and the best of several turns counts, in
processor time. Both must give the same text. A family whose template refuses system messages gets the nine others.
"""
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, __file__.rsplit("/", 1)[0])
import jinja_ref  # noqa: E402

TURNS, TURN_SECONDS = 7, 0.15
MESSAGES = [{"role": "system", "content": "You are a helpful assistant."}] + [
    {"role": "assistant" if i % 2 else "user", "content": f"Message {i}: the quick brown fox jumps over the lazy dog. " * 4} for i in range(9)]


def load(folder):
    """The template and its special tokens; None when there is no template."""
    config, template = {}, None
    try:
        with open(os.path.join(folder, "tokenizer_config.json"), encoding="utf-8") as f:
            config = json.load(f)
        template = config.get("chat_template")
    except OSError:
        pass
    if not isinstance(template, str):
        try:
            with open(os.path.join(folder, "chat_template.jinja"), encoding="utf-8") as f:
                template = f.read()
        except OSError:
            return None, {}
    special = {k: config.get(k) for k in ("bos_token", "eos_token")}
    return template, {k: v["content"] if isinstance(v, dict) else v or "" for k, v in special.items()}


class Driver:
    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def render(self, template, variables, repeat):
        job = {"env": "chat", "template": template, "vars": variables, "date": jinja_ref.DATE.strftime("%Y-%m-%dT%H:%M:%S"), "repeat": repeat}
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def turn(compiled, variables, repeat):
    start = time.process_time()
    for _ in range(repeat):
        compiled.render(**variables)
    return time.process_time() - start


def measure(driver, template, variables):
    """The text of both and the seconds of one render of both."""
    compiled = jinja_ref.ENVS["chat"].from_string(template)
    text = compiled.render(**variables)
    ours = driver.render(template, variables, 1000)
    if "error" in ours:
        return text, ours["error"], 0, 0
    n, m = max(1, int(TURN_SECONDS * 1000 / ours["seconds"])), max(1, int(TURN_SECONDS / turn(compiled, variables, 1)))
    a = b = float("inf")
    for _ in range(TURNS):
        a = min(a, driver.render(template, variables, n)["seconds"] / n)
        b = min(b, turn(compiled, variables, m) / m)
    return text, ours["ok"], a, b


def main():
    driver, folder = Driver(sys.argv[1]), sys.argv[2]
    families = sys.argv[3:] or sorted(os.listdir(folder))
    print(f"{'template':<16}{'bytes':>8}{'ours/s':>12}{'jinja2/s':>12}{'ratio':>8}")
    wrong = 0
    for family in families:
        template, special = load(os.path.join(folder, family))
        if template is None:
            continue
        variables = dict(messages=MESSAGES, add_generation_prompt=True, tools=None, documents=None, **special)
        if "error" in jinja_ref.render("chat", template, variables):
            variables["messages"] = MESSAGES[1:]
        if "error" in jinja_ref.render("chat", template, variables):
            print(f"{family:<16} refuses this chat")
            continue
        want, got, a, b = measure(driver, template, variables)
        if want != got:
            wrong += 1
            print(f"{family:<16} gives another text: {got[:200]!r}")
            continue
        print(f"{family:<16}{len(want.encode()):>8}{1 / a:>12.0f}{1 / b:>12.0f}{b / a:>8.1f}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
