"""Texts with known secrets and personal data, and texts that only look like it.

Every value is random and made by its documented form; nothing here was ever issued.
Forms and surroundings marked `held` are kept apart: no rule was written for them.
"""

import base64
import hashlib
import itertools
import json
import random
import string
import uuid
import zlib
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import NamedTuple

__all__ = ["Labelled", "not_personal", "not_secrets", "personal", "secrets"]


class Labelled(NamedTuple):
    """A text, and where in it something of `kind` stands; nowhere if it is harmless."""

    text: str
    kind: str
    span: tuple[int, int] | None
    held: bool = False


Random = random.Random
_Maker = Callable[[Random], str]

LETTERS = string.ascii_letters
DIGITS = string.digits
BASE62 = DIGITS + string.ascii_uppercase + string.ascii_lowercase
URL64 = BASE62 + "-_"
BASE64 = BASE62 + "+/"
HEX = DIGITS + "abcdef"
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BECH32 = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"
UPPER36 = string.ascii_uppercase + DIGITS


def _of(rnd: Random, chars: str, size: int) -> str:
    return "".join(rnd.choices(chars, k=size))


def _form(*parts: str | tuple[str, int]) -> _Maker:
    """Fixed parts, and random ones as (characters, size)."""
    return lambda rnd: "".join(
        part if isinstance(part, str) else _of(rnd, *part) for part in parts
    )


def _checked(prefix: str) -> _Maker:
    """Thirty random characters and the CRC-32 of them in base 62, as GitHub and npm."""

    def make(rnd: Random) -> str:
        body = _of(rnd, BASE62, 30)
        number, checksum = zlib.crc32(body.encode()), ""
        for _ in range(6):
            number, digit = divmod(number, 62)
            checksum = BASE62[digit] + checksum
        return prefix + body + checksum

    return make


def _url64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _json_token(rnd: Random) -> str:
    head = {"alg": rnd.choice(["HS256", "RS256", "ES256"]), "typ": "JWT"}
    body = {"sub": _of(rnd, DIGITS, 10), "exp": rnd.randrange(2**31), "aud": "api"}
    size = rnd.choice([32, 64, 256])
    parts = [json.dumps(part).encode() for part in (head, body)]
    return ".".join(map(_url64, (*parts, rnd.randbytes(size))))


def _pem(kind: str, joint: str = "\n") -> _Maker:
    def make(rnd: Random) -> str:
        body = base64.b64encode(rnd.randbytes(rnd.choice([48, 608, 1190]))).decode()
        lines = [body[at : at + 64] for at in range(0, len(body), 64)]
        edge = f"{kind}PRIVATE" + " KEY"
        if kind == "PGP ":
            edge += " BLOCK"
        return joint.join((f"-----BEGIN {edge}-----", *lines, f"-----END {edge}-----"))

    return make


def _service_account(rnd: Random) -> str:
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "shop-prod",
            "private_key": _pem("")(rnd) + "\n",
            "client_email": "bot@shop-prod.iam.gserviceaccount.com",
        }
    )


def _password(rnd: Random) -> str:
    return _of(rnd, LETTERS, 7) + _of(rnd, DIGITS, 2) + _of(rnd, BASE62 + "!$*._-", 5)


def _address(scheme: str, place: str) -> _Maker:
    return lambda rnd: f"{scheme}://{_name(rnd)}:{_password(rnd)}@{place}"


def _name(rnd: Random) -> str:
    return rnd.choice(["app", "admin", "ana", "svc-web", "root", "reader", "etl"])


def _login(rnd: Random) -> str:
    return base64.b64encode(f"{_name(rnd)}:{_password(rnd)}".encode()).decode()


def _seed_words(rnd: Random) -> str:
    listed = files("safety_validator.domain.checks").joinpath("bip39.txt")
    words = listed.read_text().split()
    raw = rnd.randbytes(rnd.choice([16, 20, 24, 28, 32]))
    check = len(raw) // 4
    bits = "".join(f"{byte:08b}" for byte in (*raw, hashlib.sha256(raw).digest()[0]))
    bits = bits[: len(raw) * 8 + check]
    return " ".join(words[int(bits[at : at + 11], 2)] for at in range(0, len(bits), 11))


def _wallet(rnd: Random) -> str:
    raw = b"\x80" + rnd.randbytes(32) + rnd.choice([b"", b"\x01"])
    raw += hashlib.sha256(hashlib.sha256(raw).digest()).digest()[:4]
    number, text = int.from_bytes(raw, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return text


def _azure_signature(rnd: Random) -> str:
    return base64.b64encode(rnd.randbytes(32)).decode().replace("=", "%3D")


# By the name that a program gives it. Those marked with "*" say by themselves what
# they are; the others are known by that name only.
_SECRETS: dict[str, _Maker] = {
    "*AWS_ACCESS_KEY_ID": _form("AKIA", (string.ascii_uppercase + "234567", 16)),
    "AWS_SECRET_ACCESS_KEY": _form((BASE64, 40)),
    "AWS_SESSION_TOKEN": _form("IQoJb3JpZ2luX2Vj", (BASE64, 700), "=="),
    "*GOOGLE_APPLICATION_CREDENTIALS_JSON": _service_account,
    "*GOOGLE_API_KEY": _form("AIza", (URL64, 35)),
    "*GOOGLE_CLIENT_SECRET": _form("GOCSPX-", (URL64, 28)),
    "*GOOGLE_ACCESS_TOKEN": _form("ya29.a0", (URL64, 160)),
    "AZURE_STORAGE_KEY": _form((BASE64, 86), "=="),
    "*AZURE_STORAGE_CONNECTION_STRING": _form(
        "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=",
        (BASE64, 86),
        "==;EndpointSuffix=core.windows.net",
    ),
    "*AZURE_SAS_URL": lambda rnd: (
        "https://shop.blob.core.windows.net/c?sv=2024-11-04&sr=c&sp=rl&sig="
        + _azure_signature(rnd)
    ),
    "*AZURE_CLIENT_SECRET": _form(
        (BASE62 + "_~.", 3), (DIGITS, 1), "Q~", (BASE62 + "_~-", 34)
    ),
    "*GITHUB_TOKEN": lambda rnd: _checked(rnd.choice(["ghp_", "gho_", "ghu_", "ghs_"]))(
        rnd
    ),
    "*GH_PAT": _form("github_pat_", (BASE62, 22), "_", (BASE62, 59)),
    "*GITLAB_TOKEN": _form("glpat-", (URL64, 20)),
    "*SLACK_BOT_TOKEN": _form(
        "xoxb-", (DIGITS, 12), "-", (DIGITS, 13), "-", (BASE62, 24)
    ),
    "*SLACK_APP_TOKEN": _form(
        "xapp-1-A", (UPPER36, 10), "-", (DIGITS, 13), "-", (HEX, 64)
    ),
    "*SLACK_WEBHOOK": _form(
        "https://hooks.slack.com/services/T",
        (UPPER36, 9),
        "/B",
        (UPPER36, 9),
        "/",
        (BASE62, 24),
    ),
    "*STRIPE_SECRET_KEY": _form("sk_live_", (BASE62, 24)),
    "*STRIPE_NEW_KEY": _form("rk_test_51", (BASE62, 97)),
    "*STRIPE_WEBHOOK_SECRET": _form("whsec_", (BASE62, 32)),
    "TWILIO_AUTH_TOKEN": _form((HEX, 32)),
    "*TWILIO_KEY_SID": _form("SK", (HEX, 32)),
    "*SENDGRID_API_KEY": _form("SG.", (URL64, 22), ".", (URL64, 43)),
    "*MAILGUN_API_KEY": _form("key-", (HEX, 32)),
    "*MAILGUN_SENDING_KEY": _form((HEX, 32), "-", (HEX, 8), "-", (HEX, 8)),
    "*MAILCHIMP_API_KEY": _form((HEX, 32), "-us", ("123456789", 1)),
    "*NPM_TOKEN": _checked("npm_"),
    "*PYPI_TOKEN": _form("pypi-AgEIcHlwaS5vcmc", (URL64, 150)),
    "*DOCKER_PAT": _form("dckr_pat_", (URL64, 27)),
    "*HF_TOKEN": _form("hf_", (LETTERS, 34)),
    "*OPENAI_API_KEY": _form("sk-", (BASE62, 20), "T3BlbkFJ", (BASE62, 20)),
    "*OPENAI_PROJECT_KEY": _form("sk-proj-", (URL64, 74), "T3BlbkFJ", (URL64, 74)),
    "*ANTHROPIC_API_KEY": _form("sk-ant-api03-", (URL64, 93), "AA"),
    "*GROQ_API_KEY": _form("gsk_", (BASE62, 52)),
    "*DISCORD_TOKEN": _form(("MNO", 1), (URL64, 23), ".", (URL64, 6), ".", (URL64, 38)),
    "*DISCORD_WEBHOOK": _form(
        "https://discord.com/api/webhooks/", (DIGITS, 18), "/", (URL64, 68)
    ),
    "*TELEGRAM_BOT_TOKEN": _form(("123456789", 1), (DIGITS, 9), ":AA", (URL64, 33)),
    "*SHOPIFY_TOKEN": _form("shpat_", (HEX, 32)),
    "*SQUARE_TOKEN": _form("sq0atp-", (URL64, 22)),
    "*SQUARE_ACCESS_TOKEN": _form("EAAA", (URL64, 60)),
    "*DO_TOKEN": _form("dop_v1_", (HEX, 64)),
    "*DATABRICKS_TOKEN": _form("dapi", (HEX, 32)),
    "CLOUDFLARE_API_TOKEN": _form((URL64, 40)),
    "CLOUDFLARE_API_KEY": _form((HEX, 37)),
    "*HEROKU_API_TOKEN": _form("HRKU-AA", (URL64, 58)),
    "HEROKU_API_KEY": lambda rnd: str(uuid.UUID(int=rnd.getrandbits(128), version=4)),
    "*VAULT_TOKEN": _form("hvs.CAES", (URL64, 90)),
    "*VAULT_OLD_TOKEN": _form("s.", (BASE62, 24)),
    "*DOPPLER_TOKEN": _form("dp.pt.", (BASE62, 43)),
    "*LINEAR_API_KEY": _form("lin_api_", (BASE62, 40)),
    "*NOTION_TOKEN": _form("ntn_", (BASE62, 46)),
    "*ATLASSIAN_TOKEN": _form("ATATT3xFfGF0", (URL64, 171), "=", (HEX.upper(), 8)),
    "DD_API_KEY": _form((HEX, 32)),
    "DD_APP_KEY": _form((HEX, 40)),
    "*NEW_RELIC_KEY": _form("NRAK-", (UPPER36, 27)),
    "*SENTRY_DSN": _form(
        "https://", (HEX, 32), "@o", (DIGITS, 6), ".ingest.sentry.io/", (DIGITS, 7)
    ),
    "*SENTRY_USER_TOKEN": _form("sntryu_", (HEX, 64)),
    "*ID_TOKEN": _json_token,
    "*TLS_KEY": _pem("RSA "),
    "*SSH_KEY": _pem("OPENSSH "),
    "*EC_KEY": _pem("EC "),
    "*PGP_KEY": _pem("PGP "),
    "*AGE_KEY": _form("AGE-SECRET-KEY-1", (BECH32, 58)),
    "*WALLET_KEY": _wallet,
    "WALLET_PRIVATE_KEY": _form("0x", (HEX, 64)),
    "*WALLET_WORDS": _seed_words,
    "*DATABASE_URL": _address("postgresql", "db.internal:5432/app"),
    "*REDIS_URL": _address("rediss", "cache.example.net:6380/0"),
    "*MONGO_URL": _address("mongodb+srv", "cluster0.ab1cd.mongodb.net/shop?w=majority"),
    "*PROXY_URL": _address("http", "proxy.corp.example:3128"),
    "DB_PASSWORD": _password,
    "SECRET_KEY": _form((URL64, 50)),
    "API_TOKEN": _form((BASE62, 32)),
    "CLIENT_SECRET": _form((BASE62 + "~._-", 36)),
}
_HELD_SECRETS: dict[str, _Maker] = {
    "*GRAFANA_TOKEN": _form("glsa_", (BASE62, 32), "_", (HEX, 8)),
    "*POSTMAN_API_KEY": _form("PMAK-", (HEX, 24), "-", (HEX, 34)),
    "*FIGMA_TOKEN": _form("figd_", (URL64, 40)),
    "*PLANETSCALE_TOKEN": _form("pscale_tkn_", (BASE62, 43)),
    "*SUPABASE_TOKEN": _form("sbp_", (HEX, 40)),
    "*NETLIFY_TOKEN": _form("nfp_", (BASE62, 40)),
    "*TAILSCALE_KEY": _form("tskey-auth-", (BASE62, 17), "-", (BASE62, 32)),
    "*PREFECT_KEY": _form("pnu_", (BASE62, 36)),
    "*README_KEY": _form("rdme_", (string.ascii_lowercase + DIGITS, 70)),
    "*SHIPPO_TOKEN": _form("shippo_live_", (HEX, 40)),
    "*TYPEFORM_TOKEN": _form("tfp_", (BASE62, 44), "_", (BASE62, 14)),
    "ALGOLIA_ADMIN_KEY": _form((HEX, 32)),
    "PAGERDUTY_API_KEY": _form((URL64, 20)),
    "OKTA_API_TOKEN": _form("00", (URL64, 40)),
    "SPLUNK_TOKEN": lambda rnd: str(uuid.UUID(int=rnd.getrandbits(128), version=4)),
    "*AMQP_URL": _address("amqps", "mq.example.net/vhost"),
    "*LDAP_URL": _address("ldap", "dc1.corp.example"),
}

# A surrounding, with {name} as programs write it, {words} as people say it.
_SURROUNDINGS = [
    "{name}={value}",
    "export {name}='{value}'",
    '{{"{name}": "{value}", "region": "eu-west-1"}}',
    "{name}: {value}\nreplicas: 2",
    '{name} = "{value}"  # rotate in May',
    "The {words} for staging is {value}, keep it safe.",
    "My {words}: {value}",
    "2026-05-02 10:11:12 INFO starting with {name}={value} retries=3",
    'client = Client(region="eu", {name}="{value}")',
]
_HELD_SURROUNDINGS = [
    "[auth]\n{name} = {value}\n",
    '<add key="{name}" value="{value}" />',
    "ENV {name} {value}",
    "$env:{name} = '{value}'",
    "Hi Tom, as promised the {words}. It is {value} and works until Friday.",
    "const cfg = {{ {name}: '{value}', debug: false }};",
    "set {name} to `{value}` and restart",
    "- name: {name}\n  value: {value}\n",
]
# For what says by itself what it is.
_BARE = ["{value}", "Remember this: {value}", "deploy with {value} please"]
_HELD_BARE = [
    "I got {value} from the console.",
    "```\n{value}\n```",
    "log: sent {value}",
]


def secrets(seed: int, n: int) -> list[Labelled]:
    """Texts with one secret each, about a third of them in held forms or places."""
    rnd = random.Random(seed)
    forms = [*((k, m, False) for k, m in _SECRETS.items())]
    forms += [(k, m, True) for k, m in _HELD_SECRETS.items()]
    return [_secret(rnd, *forms[at % len(forms)]) for at in range(n)]


def _secret(rnd: Random, key: str, make: _Maker, held: bool) -> Labelled:
    apart = rnd.random() < 0.2
    places = [*(_HELD_SURROUNDINGS if apart else _SURROUNDINGS)]
    if key.startswith("*"):
        places += _HELD_BARE if apart else _BARE
    name = key.removeprefix("*")
    value = make(rnd)
    text = rnd.choice(places).format(
        name=name, words=name.lower().replace("_", " "), value=value
    )
    return Labelled(text, name, _core(text, value), held or apart)


def _core(text: str, value: str) -> tuple[int, int]:
    """The part of the value that nobody else may read."""
    start = text.index(value)
    core = value.rpartition("://")[2]
    if "://" in value and "@" in value:
        login = value.split("://", 1)[1].rsplit("@", 1)[0]
        core = login.split(":", 1)[-1]
    elif "sig=" in value:
        core = value.split("sig=")[1]
    elif "AccountKey=" in value:
        core = value.split("AccountKey=")[1].split(";")[0]
    elif "service_account" in value:
        core = value.split('"private_key": "')[1].split('\\n"')[0]
    at = value.rindex(core)
    return start + at, start + at + len(core)


_WORDS = (
    "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor"
    " incididunt ut labore et dolore magna aliqua the garden was quiet we walked home"
).split()


def _uuid(rnd: Random) -> str:
    return str(uuid.UUID(int=rnd.getrandbits(128), version=4))


def _digest(name: str) -> _Maker:
    return lambda rnd: hashlib.new(name, rnd.randbytes(8)).hexdigest()


def _b64(rnd: Random, size: int) -> str:
    return base64.b64encode(rnd.randbytes(size)).decode()


def _version(rnd: Random) -> str:
    return ".".join(str(rnd.randrange(40)) for _ in range(3))


def _lorem(rnd: Random) -> str:
    return " ".join(rnd.choices(_WORDS, k=rnd.randrange(8, 60)))


def _minified(rnd: Random) -> str:
    a, b, c = (rnd.choice(LETTERS) for _ in range(3))
    return (
        f"!function({a},{b}){{var {c}={a}.token||{b}[{rnd.randrange(99)}];for(var i=0;"
        f"i<{c}.length;i++){{if({c}[i].key==={b}.key)return "
        f"{c}.slice(i+{rnd.randrange(9)})}}return null}}(window,document);"
    )


def _code(rnd: Random) -> str:
    return rnd.choice(
        [
            "token = tokens[index + 1]",
            "const apiKey = process.env.OPENAI_API_KEY;",
            "password = getpass.getpass('Password: ')",
            "if (user.password !== confirmPassword) throw new Error('mismatch')",
            "api_key = os.environ['API_KEY_PRODUCTION_1']",
            "def refresh_token(self, token: str, expires_in_seconds: int = 3600):",
            "secret = client.secrets.get_secret_value(name='db-password-2024')",
            "for key in sorted(mapping): print(key, mapping[key])",
            "token: ${{ secrets.GITHUB_TOKEN }}",
            "secretKeyRef:\n  name: database-credentials-v2\n  key: password",
            "self.session_token = create_session_token_for(user_identifier)",
            f"max_tokens: {rnd.randrange(5000)}, top_p: 0.9, token_count: 4711",
            "key = (row.customer_id, row.created_at, row.order_number)",
            "Authorization: Bearer <token>",
            "Authorization: Basic realm=shop",
            "auth_token_expires_at = 2026-11-23T02:41:14Z",
        ]
    )


def _blank(rnd: Random) -> str:
    return rnd.choice(
        [
            "OPENAI_API_KEY=sk-" + "x" * rnd.randrange(4, 49),
            "api_key: YOUR_API_KEY",
            'api_key = "YOUR_API_KEY_HERE_1234"',
            "AWS_SECRET_ACCESS_KEY=<your-secret-access-key>",
            "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE",
            "token: " + "*" * rnd.randrange(6, 40),
            "password=changeme123",
            "postgres://user:password@localhost:5432/app",
            "https://<user>:<password>@host/path",
            "mongodb://${USER}:${PASS}@mongo:27017",
            "ghp_" + "X" * 36,
            "sk-ant-api03-..." + "x" * 20,
            "GITHUB_TOKEN=ghp_your_token_goes_here_1234567890ab",
            'export SECRET="replace-me-with-a-real-secret-1"',
            "password: [REDACTED]",
            "client_secret=insert_client_secret_here_0001",
            "keys begin with sk_live_ or sk_test_",
        ]
    )


_NOT_SECRETS: dict[str, _Maker] = {
    "uuid": lambda rnd: f"request {_uuid(rnd)} took {rnd.randrange(900)} ms",
    "uuid-field": lambda rnd: f'{{"id": "{_uuid(rnd)}", "owner": "{_uuid(rnd)}"}}',
    "commit": lambda rnd: f"commit {_digest('sha1')(rnd)} fixes the parser",
    "commit-short": lambda rnd: f"merged in {_digest('sha1')(rnd)[:10]}",
    "image-digest": lambda rnd: f"image: shop/web@sha256:{_digest('sha256')(rnd)}",
    "checksum": lambda rnd: f"{_digest('sha512')(rnd)}  archive.tar.gz",
    "etag": lambda rnd: f'ETag: "{_digest("md5")(rnd)}"',
    "integrity": lambda rnd: f'"integrity": "sha512-{_b64(rnd, 64)}"',
    "wheel-hash": lambda rnd: f"--hash=sha256:{_digest('sha256')(rnd)}",
    "image": lambda rnd: (
        f"<img src='data:image/png;base64,iVBORw0KGgo{_b64(rnd, 900)}'>"
    ),
    "attachment": lambda rnd: f"Content: {_b64(rnd, 300)}",
    "version": lambda rnd: (
        f"upgraded libfoo from {_version(rnd)} to {_version(rnd)}-rc.1"
    ),
    "build": lambda rnd: f"build-{rnd.randrange(10**9)}-{_digest('sha1')(rnd)[:12]}",
    "pod": lambda rnd: (
        f"pod web-{_of(rnd, HEX, 10)}-{_of(rnd, string.ascii_lowercase, 5)} restarted"
    ),
    "trace": lambda rnd: f"trace_id={_of(rnd, HEX, 32)} span_id={_of(rnd, HEX, 16)}",
    "message": lambda rnd: f"Message-ID: <{_of(rnd, BASE62, 22)}@mail.example.org>",
    "video": lambda rnd: f"https://www.youtube.com/watch?v={_of(rnd, URL64, 11)}",
    "link": lambda rnd: f"https://shop.example/p/{_of(rnd, HEX, 24)}?utm_source=mail",
    "path": lambda rnd: (
        f"/var/lib/app/{_of(rnd, HEX, 32)}/token-cache-{rnd.randrange(9)}.db"
    ),
    "certificate": lambda rnd: (
        f"-----BEGIN CERTIFICATE-----\n{_b64(rnd, 300)}\n-----END CERTIFICATE-----"
    ),
    "public-key": lambda rnd: (
        f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5{_b64(rnd, 36)} ana@box"
    ),
    "public-key-named": lambda rnd: f"public_key: {_b64(rnd, 32)}",
    "transaction": lambda rnd: f"tx 0x{_of(rnd, HEX, 64)} confirmed",
    "account": lambda rnd: f"paid to 0x{_of(rnd, HEX, 40)}",
    "colour": lambda rnd: f"color: #{_of(rnd, HEX, 6)}; margin: {rnd.randrange(30)}px",
    "timestamp": lambda rnd: f"token expires 2026-0{rnd.randrange(1, 10)}-11T02:41:14Z",
    "lorem": _lorem,
    "minified": _minified,
    "code": _code,
    "placeholder": _blank,
    "completion": lambda rnd: f'"id": "chatcmpl-{_of(rnd, BASE62, 29)}"',
    "password-talk": lambda rnd: rnd.choice(
        [
            "I forgot my password again and had to reset it.",
            "The secret to good bread is patience; the key is warm water.",
            "Her password was the name of her first dog.",
            "Tokens are cheap, but the token limit is 4096.",
            "A bearer of bad news came with a token of friendship.",
            "The secret ingredient is cardamom.",
            "Passwords should be at least 12 characters long.",
            "He gave me the key to apartment 12B on 2024-05-06.",
        ]
    ),
}


def not_secrets(seed: int, n: int) -> list[Labelled]:
    """Texts that hold no secret, in forms that scanners take for one."""
    return _harmless(_NOT_SECRETS, seed, n)


def _harmless(makers: Mapping[str, _Maker], seed: int, n: int) -> list[Labelled]:
    """So many texts, of each kind in turn."""
    rnd = random.Random(seed)
    kinds = itertools.islice(itertools.cycle(makers.items()), n)
    return [Labelled(make(rnd), kind, None) for kind, make in kinds]


# ---- Personal data ----


def _luhn_digit(digits: str) -> str:
    total = 0
    for at, char in enumerate(reversed(digits)):
        doubled = int(char) * (2 if at % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return str(-total % 10)


def _card(rnd: Random) -> str:
    prefix, size = rnd.choice(
        [("4", 16), ("51", 16), ("5412", 16), ("2221", 16), ("37", 15), ("6011", 16)]
    )
    body = prefix + _of(rnd, DIGITS, size - 1 - len(prefix))
    number = body + _luhn_digit(body)
    groups = (4, 6, 5) if size == 15 else (4, 4, 4, 4)
    return _grouped(number, groups, rnd.choice([" ", "-", ""]))


def _grouped(number: str, groups: Sequence[int], joint: str) -> str:
    pieces = []
    for size in groups:
        pieces.append(number[:size])
        number = number[size:]
    return joint.join((*pieces, number) if number else pieces)


# Country, and the form of its numbers: a letter, a digit, or either.
_IBANS = {
    "DE": "n" * 18, "FR": "n" * 10 + "c" * 11 + "nn", "GB": "aaaa" + "n" * 14,
    "NL": "aaaa" + "n" * 10, "ES": "n" * 20, "IT": "a" + "n" * 10 + "c" * 12,
    "CH": "n" * 5 + "c" * 12, "PL": "n" * 24, "NO": "n" * 11,
    "MT": "aaaannnnn" + "c" * 18,
}  # fmt: skip
_IBAN_CHARS = {
    "n": DIGITS,
    "a": string.ascii_uppercase,
    "c": string.ascii_uppercase + DIGITS,
}


def _iban(rnd: Random) -> str:
    country, form = rnd.choice(list(_IBANS.items()))
    body = "".join(rnd.choice(_IBAN_CHARS[kind]) for kind in form)
    plain = "".join(str(int(char, 36)) for char in body + country + "00")
    number = f"{country}{98 - int(plain) % 97:02d}{body}"
    return _grouped(number, [4] * (len(number) // 4), rnd.choice([" ", ""]))


def _ssn(rnd: Random) -> str:
    area = rnd.choice([number for number in range(1, 900) if number != 666])
    group, serial = rnd.randrange(1, 100), rnd.randrange(1, 10000)
    return f"{area:03d}-{group:02d}-{serial:04d}"


def _email(rnd: Random) -> str:
    first, last = (
        rnd.choice(["ana", "tom", "mei", "o.neil", "j"]),
        _of(rnd, "abcdeimnost", 6),
    )
    name = rnd.choice(["{f}.{l}", "{f}_{l}", "{f}{l}", "{f}+{l}", "{f}-{l}99"])
    place = rnd.choice(
        [
            "example.org",
            "mail.shop.co.uk",
            "uni-koeln.de",
            "gmail.com",
            "x.io",
            "a.museum",
        ]
    )
    return f"{name.format(f=first, l=last)}@{place}"


def _filled(*forms: str) -> _Maker:
    """One of the forms, with a digit for each `#`."""

    def make(rnd: Random) -> str:
        form = rnd.choice(forms)
        return "".join(rnd.choice(DIGITS) if char == "#" else char for char in form)

    return make


_PHONES = [
    "+1 415 555 ####", "+1-212-555-####", "+1 (628) 555-####", "(415) 555-####",
    "415-555-####", "415.555.####", "1-800-555-####", "+49 30 90######",
    "+49 171 #######", "+44 20 7946 ####", "+44 7911 ######", "+33 1 70 18 ## ##",
    "+33 6 ## ## ## ##", "+34 6## ### ###", "+39 06 698 #####", "+81 3-5253-####",
    "+91 98### #####", "+4915112345##", "+14155552##3", "+55 11 9####-####",
    "+61 2 9876 ####", "+31 20 794 ####",
]  # fmt: skip
_HELD_PHONES = [
    "030 90######", "0171 #######", "020 7946 ####", "07911 ######",
    "01 70 18 ## ##", "06 ## ## ## ##", "0041 44 668 ## ##", "+49 (0)89 ### ####",
    "(0221) 99#####", "03-5253-####",
]  # fmt: skip


def _ipv4(rnd: Random) -> str:
    first = rnd.choice([5, 8, 23, 34, 52, 80, 91, 104, 139, 185, 212])
    return ".".join(map(str, (first, *(rnd.randrange(1, 255) for _ in range(3)))))


def _ipv6(rnd: Random) -> str:
    groups = [f"{rnd.randrange(1, 65536):x}" for _ in range(6)]
    head = rnd.choice(["2606:4700", "2a00:1450", "2001:4860", "2a01:4f8"])
    tail = rnd.choice(["::1", "::" + groups[0], ":" + ":".join(groups)])
    return head + tail


_PERSONAL: dict[str, tuple[_Maker, list[str]]] = {
    "card": (
        _card,
        [
            "My card is {}.",
            "card={} exp=11/29",
            "charge {} please",
            "{}",
            "Visa: {}, ok",
        ],
    ),
    "iban": (
        _iban,
        [
            "Send it to {}.",
            "IBAN: {}",
            "account {} at the bank",
            "{}",
            '{{"iban": "{}"}}',
        ],
    ),
    "ssn": (_ssn, ["My SSN is {}.", "ssn: {}", "number {} on the form", "{}"]),
    "email": (
        _email,
        [
            "Write to {}.",
            "<{}>",
            "mail={}, name=Ana",
            "{} is out of office",
            "mailto:{}",
        ],
    ),
    "phone": (
        _filled(*_PHONES),
        ["Call me at {}.", "Tel: {}", "{} is my number", "phone={}, name=Ana", "{}"],
    ),
    "ip": (
        lambda rnd: rnd.choice([_ipv4, _ipv6])(rnd),
        [
            "It came from {}.",
            "client {} blocked",
            "host={} port=22",
            "{}",
            "ssh root@{}",
        ],
    ),
}
_HELD_PLACES = [
    'She wrote: "{}" on the note.',
    "a; {}; b",
    "({})",
    "| {} |",
    "see {}\nthen go",
]


def personal(seed: int, n: int) -> list[Labelled]:
    """Texts with one piece of personal data each."""
    rnd = random.Random(seed)
    kinds = list(_PERSONAL.items())
    return [_piece(rnd, *kinds[at % len(kinds)]) for at in range(n)]


def _piece(rnd: Random, kind: str, form: tuple[_Maker, list[str]]) -> Labelled:
    make, places = form
    held = rnd.random() < 0.25
    if held:
        places = _HELD_PLACES
        if kind == "phone" and rnd.random() < 0.5:
            make, places = _filled(*_HELD_PHONES), ["Call me at {}.", "Tel. {}"]
    value = make(rnd)
    text = rnd.choice(places).format(value)
    start = text.index(value)
    return Labelled(text, kind, (start, start + len(value)), held)


def _wrong_card(rnd: Random) -> str:
    number = _card(rnd)
    last = str((int(number[-1]) + rnd.randrange(1, 10)) % 10)
    return f"order {number[:-1]}{last} shipped"


def _wrong_iban(rnd: Random) -> str:
    number = _iban(rnd)
    return f"reference {number[:2]}{(int(number[2:4]) + 1) % 100:02d}{number[4:]}"


_NOT_PERSONAL: dict[str, _Maker] = {
    "wrong-card": _wrong_card,
    "wrong-iban": _wrong_iban,
    "order": _filled("order no. ########## of ######", "order ####-######"),
    "order-dashed": _filled("Amazon order ###-#######-####### arrived"),
    "date": _filled("on 2026-0#-1# at 10:3#", "born 1#/0#/19##", "2#.1#.202#"),
    "time": _filled("from 1#:30:4# to 23:59:59"),
    "version": _filled("version 1#.1.3#, formerly 2.1#.3#.#"),
    "version-four": _filled("Chrome version 1##.0.4###.1##"),
    "private-ip": _filled(
        "10.1.2.3", "192.168.0.17", "127.0.0.1 and ::1", "fe80::1", "2001:db8::7"
    ),
    "not-ip": _filled("3##.1##.2##.1##", "1.2.3", "1.2.3.4.5"),
    "money": _filled("it costs 1##,###,###.## in total", "$4,###.## a year"),
    "sum": _filled("## + ## = ##, and pi is 3.14159265"),
    "isbn": _filled("ISBN 978-0-###-#####-#", "ISBN 0-306-#####-#"),
    "number": _filled("the id is 4########", "ticket 1##########"),
    "timestamp": _filled("at 17######## or 17###########"),
    "bad-ssn": _filled("000-##-3456", "666-##-3456", "912-##-5678", "123-00-####"),
    "part": _filled("part ###-#### of lot ##-#####"),
    "handle": _filled("follow @ana_l", "meet @ 5pm", "user@localhost", "git@github:x"),
    "mac": lambda rnd: "mac " + ":".join(_of(rnd, HEX, 2) for _ in range(6)),
    "hash": _digest("sha1"),
    "uuid": _uuid,
    "coordinates": _filled("at 52.######, 13.######"),
    "tracking": _filled("1Z999AA1########## is on its way"),
    "score": _filled("won 6-4 3-6 7-5 in 2 hours, ### km"),
    "range": _filled("pages 1##-4##, years 1914-1918"),
    "section": _filled("see section #.1#.2#.#", "§ 3.#.#.1#"),
    "code": _filled("std::vector<int> a; beef::cafe(dead::face)"),
}


def not_personal(seed: int, n: int) -> list[Labelled]:
    """Texts without personal data, in forms that are taken for it."""
    return _harmless(_NOT_PERSONAL, seed, n)
