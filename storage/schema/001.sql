-- Version 1. Every row of a session carries (epoch, generation); triggers refuse writers that are no longer current.
-- Times are UTC epoch seconds (REAL). JSON is TEXT.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

-- One life of the process each. ending IS NULL: it never came to an orderly end, or it is the one that lives.
CREATE TABLE boots (
    epoch      INTEGER PRIMARY KEY,
    started_at REAL NOT NULL,
    ended_at   REAL,
    ending     TEXT CHECK (ending IN ('clean', 'unclean', 'fell')),
    reason     TEXT,
    pid        INTEGER,
    version    TEXT NOT NULL
) STRICT;

-- Who may write. One shard today; a cluster has more. groups counts committed groups: after a COMMIT whose outcome
-- is not known, it says whether that group is on disk.
CREATE TABLE ownership (
    shard  INTEGER PRIMARY KEY,
    epoch  INTEGER NOT NULL,
    groups INTEGER NOT NULL DEFAULT 0
) STRICT;

-- because: why it followed its predecessor; or 'imported': it was held elsewhere, and no chat may lead to it.
CREATE TABLE sessions (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    key               TEXT NOT NULL,
    created_at        REAL NOT NULL,
    epoch             INTEGER NOT NULL,
    generation        INTEGER NOT NULL DEFAULT 0,
    suspended_at      REAL,
    quarantined_at    REAL,
    quarantine_reason TEXT,
    restart_budget    TEXT,
    predecessor       INTEGER REFERENCES sessions (id) ON DELETE SET NULL,
    because           TEXT
) STRICT;
CREATE INDEX sessions_by_key ON sessions (key);
CREATE UNIQUE INDEX sessions_succeeded ON sessions (predecessor) WHERE predecessor IS NOT NULL;
CREATE INDEX sessions_set_aside ON sessions (id) WHERE suspended_at IS NOT NULL OR quarantined_at IS NOT NULL;

-- The session that a chat's next message goes to.
CREATE TABLE routes (
    key        TEXT PRIMARY KEY,
    session_id INTEGER NOT NULL REFERENCES sessions (id)
) STRICT;
CREATE INDEX routes_by_session ON routes (session_id);

-- What platforms gave us. generation IS NULL: not yet handed to a run.
CREATE TABLE inbox (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id INTEGER NOT NULL,  -- of sessions; not declared, so that what comes in pays for no index of it
    platform   TEXT NOT NULL,
    account    TEXT NOT NULL,
    update_id  TEXT NOT NULL,
    text       TEXT NOT NULL,
    author     TEXT,
    reply_to   TEXT,
    attachments TEXT,  -- JSON; NULL: none
    answers    TEXT,
    change     TEXT CHECK (change IN ('edit', 'delete')),  -- of the message reply_to; NULL: a message
    sent_at    REAL,
    at         REAL NOT NULL,
    epoch      INTEGER NOT NULL,
    command    TEXT,  -- an order and no message, by its word; carried out once generation says when
    operator   INTEGER NOT NULL DEFAULT 0 CHECK (operator IN (0, 1)),  -- whoever runs the service ordered it
    refusal    TEXT,  -- why it was not carried out; only of an operator's, whose chat is not told
    generation INTEGER,
    seq        INTEGER,
    UNIQUE (platform, account, update_id)
) STRICT;
CREATE INDEX inbox_waiting ON inbox (session_id, id) WHERE generation IS NULL;
CREATE INDEX inbox_handled ON inbox (session_id, id) WHERE generation IS NOT NULL;

CREATE TABLE messages (
    id           INTEGER PRIMARY KEY,
    session_id   INTEGER NOT NULL REFERENCES sessions (id),
    seq          INTEGER NOT NULL CHECK (seq > 0),
    epoch        INTEGER NOT NULL,
    generation   INTEGER NOT NULL,
    key          TEXT NOT NULL,
    role         TEXT NOT NULL CHECK (role IN ('system', 'user', 'assistant', 'tool')),
    kind         TEXT NOT NULL CHECK
        (kind IN ('text', 'recovery_note', 'question', 'lapsed', 'stopped', 'failed', 'process', 'changed',
                  'operator', 'summary')),
    text         TEXT NOT NULL,
    at           REAL NOT NULL,
    finish       TEXT,
    answers_upto INTEGER,
    author       TEXT,
    tool_calls   TEXT,
    tool_key     TEXT,
    attachments  TEXT,
    UNIQUE (session_id, seq),
    UNIQUE (session_id, key)
) STRICT;
CREATE INDEX messages_concluding ON messages (session_id, seq) WHERE answers_upto IS NOT NULL;
CREATE INDEX messages_summaries ON messages (session_id, seq) WHERE kind = 'summary';

-- One execution of the agent each. open = 1 is the marker that a boot looks for; at most one a session.
CREATE TABLE runs (
    id               INTEGER PRIMARY KEY,
    session_id       INTEGER NOT NULL REFERENCES sessions (id),
    generation       INTEGER NOT NULL CHECK (generation > 0),
    epoch            INTEGER NOT NULL,
    work             INTEGER NOT NULL,
    cause            TEXT NOT NULL,
    attempt          INTEGER NOT NULL,
    opened_at        REAL NOT NULL,
    last_progress_at REAL NOT NULL,
    open             INTEGER NOT NULL DEFAULT 1 CHECK (open IN (0, 1)),
    closed_at        REAL,
    ending           TEXT,
    interrupted_by   TEXT,
    failed_by        TEXT,
    -- What its work spent so far, with the attempts before it.
    model_calls      INTEGER NOT NULL DEFAULT 0,
    tokens           INTEGER NOT NULL DEFAULT 0,
    cost             REAL NOT NULL DEFAULT 0,
    reply_to         TEXT,
    tail_kind        TEXT NOT NULL
        CHECK (tail_kind IN ('EMPTY', 'USER', 'TOOL_CALLS', 'TOOL_RESULTS', 'FINAL', 'PARTIAL', 'ASKED', 'STOPPED',
                             'RECOVERY_NOTE', 'FAILED', 'PROCESS')),
    tail_at          REAL NOT NULL,
    tail_seq         INTEGER NOT NULL,
    user_seq         INTEGER NOT NULL,
    answered_upto    INTEGER NOT NULL,
    UNIQUE (session_id, generation)
) STRICT;
CREATE UNIQUE INDEX runs_open ON runs (session_id) WHERE open = 1;

CREATE TABLE tool_calls (
    id         INTEGER PRIMARY KEY,
    session_id INTEGER NOT NULL REFERENCES sessions (id),
    work       INTEGER NOT NULL,
    epoch      INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    key        TEXT NOT NULL,
    name       TEXT NOT NULL,
    args       TEXT NOT NULL,
    policy     TEXT NOT NULL CHECK (policy IN ('pure', 'keyed', 'once', 'ask')),
    attempts   INTEGER NOT NULL DEFAULT 1,
    started_at REAL NOT NULL,
    ended_at   REAL,
    result     TEXT,
    failed     INTEGER NOT NULL DEFAULT 0 CHECK (failed IN (0, 1)),
    UNIQUE (session_id, key)
) STRICT;
CREATE INDEX tool_calls_of_work ON tool_calls (session_id, work);
-- Nobody knows what became of these, and no agent was told: ended_at without a result says that one was.
CREATE INDEX tool_calls_in_doubt ON tool_calls (session_id) WHERE result IS NULL AND ended_at IS NULL;

CREATE TABLE questions (
    id          INTEGER PRIMARY KEY,
    session_id  INTEGER NOT NULL REFERENCES sessions (id),
    work        INTEGER NOT NULL,
    epoch       INTEGER NOT NULL,
    generation  INTEGER NOT NULL,
    key         TEXT NOT NULL,
    prompt      TEXT NOT NULL,
    choices     TEXT NOT NULL,
    after_inbox INTEGER NOT NULL,
    asked_at    REAL NOT NULL,
    timeout_s   REAL NOT NULL,
    delivery    TEXT NOT NULL,
    answer      TEXT,
    answered_at REAL,
    lapsed      TEXT CHECK (lapsed IN ('timed_out', 'undelivered', 'ended')),
    lapsed_at   REAL,
    UNIQUE (session_id, key)
) STRICT;
CREATE INDEX questions_of_work ON questions (session_id, work);
CREATE INDEX questions_by_delivery ON questions (delivery);

-- What agents started to run beside them. The row is on disk before the process is started; pid, born and machine find
-- it again when its owner died. consumed = 1: how it ended was told, or its agent knows. unwanted = 1: its user wants
-- it ended, and to be told nothing of it.
CREATE TABLE processes (
    id         INTEGER PRIMARY KEY,
    session_id INTEGER NOT NULL REFERENCES sessions (id),
    process    TEXT NOT NULL,
    epoch      INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    command    TEXT NOT NULL,
    notify     INTEGER NOT NULL CHECK (notify IN (0, 1)),
    patterns   TEXT NOT NULL,
    reply_to   TEXT,
    state      TEXT NOT NULL CHECK (state IN ('starting', 'running', 'ended', 'lost', 'failed')),
    pid        INTEGER,
    born       TEXT,
    machine    TEXT,
    exit_code  INTEGER,
    output     TEXT NOT NULL DEFAULT '',
    consumed   INTEGER NOT NULL DEFAULT 0 CHECK (consumed IN (0, 1)),
    unwanted   INTEGER NOT NULL DEFAULT 0 CHECK (unwanted IN (0, 1)),
    started_at REAL NOT NULL,
    ended_at   REAL,
    UNIQUE (session_id, process)
) STRICT;
CREATE INDEX processes_live ON processes (epoch) WHERE state IN ('starting', 'running');
CREATE INDEX processes_awaited ON processes (session_id)
    WHERE unwanted = 0 AND (state IN ('starting', 'running') OR (consumed = 0 AND notify = 1));

-- The outbox. text IS NULL: the anchor of a run that has not concluded.
CREATE TABLE deliveries (
    id           INTEGER PRIMARY KEY,
    key          TEXT NOT NULL UNIQUE,
    session_id   INTEGER NOT NULL REFERENCES sessions (id),
    platform     TEXT NOT NULL,
    account      TEXT NOT NULL,
    kind         TEXT NOT NULL CHECK (kind IN ('answer', 'question', 'line')),
    epoch        INTEGER NOT NULL,
    generation   INTEGER NOT NULL,
    text         TEXT,
    state        TEXT NOT NULL
        CHECK (state IN ('open', 'pending', 'sending', 'retry', 'unknown', 'delivered', 'dead')),
    message_ids  TEXT NOT NULL DEFAULT '[]',
    attempts     INTEGER NOT NULL DEFAULT 0,
    retry_at     REAL,
    reply_to     TEXT,
    error        TEXT,
    created_at   REAL NOT NULL,
    filled_at    REAL,
    delivered_at REAL
) STRICT;
CREATE INDEX deliveries_owed ON deliveries (platform, account, id) WHERE state NOT IN ('delivered', 'dead');
CREATE INDEX deliveries_of_session ON deliveries (session_id, id);

CREATE TABLE decisions (
    id         INTEGER PRIMARY KEY,
    session_id INTEGER NOT NULL REFERENCES sessions (id),
    epoch      INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    rule       TEXT NOT NULL,
    outcome    TEXT NOT NULL,
    inputs     TEXT NOT NULL,
    at         REAL NOT NULL
) STRICT;
CREATE INDEX decisions_of_session ON decisions (session_id, id);

CREATE TABLE dead_letters (
    id         INTEGER PRIMARY KEY,
    delivery   TEXT NOT NULL UNIQUE REFERENCES deliveries (key),
    session_id INTEGER NOT NULL REFERENCES sessions (id),
    reason     TEXT NOT NULL,
    at         REAL NOT NULL
) STRICT;
CREATE INDEX dead_letters_of_session ON dead_letters (session_id);

-- Chats that are not allowed: how often, never what.
CREATE TABLE refusals (
    platform TEXT NOT NULL,
    account  TEXT NOT NULL,
    count    INTEGER NOT NULL,
    last_at  REAL NOT NULL,
    PRIMARY KEY (platform, account)
) STRICT;

-- Chats that were let in by a code (approved_at), and strangers' chats that were shown one. What they wrote is not kept,
-- nor is the code: only its salted hash.
CREATE TABLE pairings (
    id          INTEGER PRIMARY KEY,
    platform    TEXT NOT NULL,
    account     TEXT NOT NULL,
    chat        TEXT NOT NULL,
    offered_at  REAL NOT NULL,
    expires_at  REAL NOT NULL,
    salt        TEXT NOT NULL,
    code_hash   TEXT NOT NULL,
    author      TEXT,
    guesses     INTEGER NOT NULL DEFAULT 0,
    approved_at REAL,
    UNIQUE (platform, account, chat)
) STRICT;

-- The fence. A row of an older owner or of an older run is refused, whatever its writer believes.
CREATE TRIGGER fence_runs BEFORE INSERT ON runs
WHEN NEW.epoch <> (SELECT epoch FROM ownership WHERE shard = 0)
    OR NEW.generation NOT BETWEEN (SELECT generation FROM sessions WHERE id = NEW.session_id)
                              AND (SELECT generation + 1 FROM sessions WHERE id = NEW.session_id)
BEGIN SELECT RAISE(ABORT, 'stale writer: run'); END;

CREATE TRIGGER runs_count_generations AFTER INSERT ON runs
BEGIN UPDATE sessions SET generation = NEW.generation, epoch = NEW.epoch WHERE id = NEW.session_id; END;

CREATE TRIGGER fence_messages BEFORE INSERT ON messages
WHEN NEW.epoch <> (SELECT epoch FROM ownership WHERE shard = 0)
    OR NEW.generation <> (SELECT generation FROM sessions WHERE id = NEW.session_id)
BEGIN SELECT RAISE(ABORT, 'stale writer: message'); END;

CREATE TRIGGER fence_tool_calls BEFORE INSERT ON tool_calls
WHEN NEW.epoch <> (SELECT epoch FROM ownership WHERE shard = 0)
    OR NEW.generation <> (SELECT generation FROM sessions WHERE id = NEW.session_id)
BEGIN SELECT RAISE(ABORT, 'stale writer: tool call'); END;

CREATE TRIGGER fence_questions BEFORE INSERT ON questions
WHEN NEW.epoch <> (SELECT epoch FROM ownership WHERE shard = 0)
    OR NEW.generation <> (SELECT generation FROM sessions WHERE id = NEW.session_id)
BEGIN SELECT RAISE(ABORT, 'stale writer: question'); END;

CREATE TRIGGER fence_processes BEFORE INSERT ON processes
WHEN NEW.epoch <> (SELECT epoch FROM ownership WHERE shard = 0)
    OR NEW.generation <> (SELECT generation FROM sessions WHERE id = NEW.session_id)
BEGIN SELECT RAISE(ABORT, 'stale writer: process'); END;

CREATE TRIGGER fence_deliveries BEFORE INSERT ON deliveries
WHEN NEW.epoch <> (SELECT epoch FROM ownership WHERE shard = 0)
    OR NEW.generation <> (SELECT generation FROM sessions WHERE id = NEW.session_id)
BEGIN SELECT RAISE(ABORT, 'stale writer: delivery'); END;

CREATE TRIGGER fence_inbox BEFORE INSERT ON inbox
WHEN NEW.epoch <> (SELECT epoch FROM ownership WHERE shard = 0)
BEGIN SELECT RAISE(ABORT, 'stale writer: inbound'); END;

CREATE TRIGGER fence_decisions BEFORE INSERT ON decisions
WHEN NEW.epoch <> (SELECT epoch FROM ownership WHERE shard = 0)
    OR NEW.generation <> (SELECT generation FROM sessions WHERE id = NEW.session_id)
BEGIN SELECT RAISE(ABORT, 'stale writer: decision'); END;
