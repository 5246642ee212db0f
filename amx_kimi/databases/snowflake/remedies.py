"""What to do about Snowflake's errors: its words and codes, and a remedy for each.

The codes are those of the login and query services that the vendor's drivers and its pages "Error
messages" and "Key-pair authentication: troubleshooting" name (November 2026).
"""

from amx_kimi.databases.server.remedies import Remedies

__all__ = ["REMEDIES", "REMEDY"]

REMEDY = (
    "Check account, user, password (SNOWFLAKE_PASSWORD), and whether this machine reaches "
    "https://ACCOUNT.snowflakecomputing.com."
)
_PAIRS = (
    (
        r"incorrect username or password|390100",
        "Check account, user and password (SNOWFLAKE_PASSWORD). A user of single sign-on needs "
        "?authenticator=externalbrowser, a key pair ?private_key_file=FILE.",
    ),
    (
        r"multi-?factor|\bmfa\b|\bduo\b|passcode|390197|390127",
        "Add ?authenticator=username_password_mfa&passcode=CODE, or log in with a key pair "
        "(?private_key_file=FILE), which needs no second factor.",
    ),
    (
        r"not allowed to access snowflake|network policy|390422|390432",
        "A network policy keeps this machine out: ask the account's administrator to add its "
        "address.",
    ),
    (
        r"no such file",
        "Check the path of private_key_file or token_file_path.",
    ),
    (
        r"jwt token is invalid|private[ _]key|39014[45]",
        "Check that the file is there and is the private key of the user's RSA_PUBLIC_KEY, its "
        "passphrase (PRIVATE_KEY_PASSPHRASE), and this machine's clock.",
    ),
    (
        r"token\b.*\b(expired|invalid)|390318|390303|390114|390110|390195",
        "Get a new token, and put it into ?authenticator=oauth&token=… or a file: "
        "?token_file_path=FILE.",
    ),
    (
        r"\brole\b.*(not exist|not authorized|not granted)|390186|390189",
        "Name a role that is granted to the user: ?role=NAME, or none for the default role.",
    ),
    (
        r"no active warehouse|\b000606\b|390201",
        "Name a warehouse that the role may use: ?warehouse=NAME.",
    ),
    (
        r"warehouse.*(suspended|resume|resource monitor|not exist|not authorized)|\b0900?73\b",
        "Resume the warehouse, raise its quota, or name another one: ?warehouse=NAME.",
    ),
    (
        r"too much data|\b090030\b",
        "The catalog is too large for one answer: choose schemas, with --schema or in the URL.",
    ),
    (
        r"statement or warehouse timeout|\b000630\b",
        "Choose fewer schemas (--schema), or a larger warehouse (?warehouse=NAME).",
    ),
    (
        r"insufficient privileges|\b003001\b",
        "The role needs USAGE on database, schemas and warehouse, and SELECT or REFERENCES on the "
        "tables; to write comments, OWNERSHIP of them. Choose one with ?role=NAME.",
    ),
    (
        r"not exist or not authorized|object does not exist|\b0020[04]3\b",
        "Check the database's name and case (a name in quotes is taken as it is), and the role "
        "(?role=NAME).",
    ),
    (
        r"user\b.*\b(locked|disabled)|39010[12]",
        "The user is locked or disabled: ask the account's administrator.",
    ),
)
REMEDIES: Remedies = dict(_PAIRS)
