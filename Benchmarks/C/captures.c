// Writes the rows that Kelvin made of a capture (blocks, groups and summaries of SOURCE) into a new
// database DESTINATION, as many samples a transaction as Kelvin did, one in ten of them synced: what
// SQLite alone costs. The last line printed is JSON.
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t now(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static sqlite3 *open_database(const char *path) {
  sqlite3 *database;
  if (sqlite3_open(path, &database) != SQLITE_OK) {
    fprintf(stderr, "captures-c: %s: %s\n", path, sqlite3_errmsg(database));
    exit(2);
  }
  return database;
}

static void run(sqlite3 *database, const char *sql) {
  if (sqlite3_exec(database, sql, NULL, NULL, NULL) != SQLITE_OK) {
    fprintf(stderr, "captures-c: %s: %s\n", sql, sqlite3_errmsg(database));
    exit(2);
  }
}

static sqlite3_stmt *prepare(sqlite3 *database, const char *sql) {
  sqlite3_stmt *statement;
  if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK) {
    fprintf(stderr, "captures-c: %s: %s\n", sql, sqlite3_errmsg(database));
    exit(2);
  }
  return statement;
}

static void step(sqlite3_stmt *statement) {
  if (sqlite3_step(statement) != SQLITE_DONE) {
    fprintf(stderr, "captures-c: %s\n", sqlite3_errmsg(sqlite3_db_handle(statement)));
    exit(2);
  }
  sqlite3_reset(statement);
}

struct block {
  int64_t ordinal, first, last, count, min, max;
  double mean;
  void *data, *groups;
  int data_size, groups_size;
};

struct row {
  int64_t level, ordinal;
  void *data;
  int size;
};

static void *copy(sqlite3_stmt *statement, int column, int *size) {
  *size = sqlite3_column_bytes(statement, column);
  void *bytes = malloc(*size);
  memcpy(bytes, sqlite3_column_blob(statement, column), *size);
  return bytes;
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: captures-c SOURCE DESTINATION SAMPLES-A-TRANSACTION\n");
    return 2;
  }
  int64_t per_transaction = atoll(argv[3]);
  sqlite3 *source = open_database(argv[1]);
  struct block *blocks = NULL;
  size_t count = 0;
  sqlite3_stmt *select = prepare(
      source,
      "SELECT b.ordinal, first_ns, last_ns, count, min_code, mean_code, max_code, b.data, g.data"
      " FROM blocks b JOIN groups g ON g.block = b.id ORDER BY b.id");
  while (sqlite3_step(select) == SQLITE_ROW) {
    if (count % 1024 == 0) blocks = realloc(blocks, (count + 1024) * sizeof *blocks);
    struct block *b = &blocks[count++];
    b->ordinal = sqlite3_column_int64(select, 0);
    b->first = sqlite3_column_int64(select, 1);
    b->last = sqlite3_column_int64(select, 2);
    b->count = sqlite3_column_int64(select, 3);
    b->min = sqlite3_column_int64(select, 4);
    b->mean = sqlite3_column_double(select, 5);
    b->max = sqlite3_column_int64(select, 6);
    b->data = copy(select, 7, &b->data_size);
    b->groups = copy(select, 8, &b->groups_size);
  }
  struct row *rows = NULL;
  size_t row_count = 0;
  sqlite3_stmt *select_rows =
      prepare(source, "SELECT level, ordinal, data FROM summaries ORDER BY id");
  while (sqlite3_step(select_rows) == SQLITE_ROW) {
    if (row_count % 1024 == 0) rows = realloc(rows, (row_count + 1024) * sizeof *rows);
    struct row *r = &rows[row_count++];
    r->level = sqlite3_column_int64(select_rows, 0);
    r->ordinal = sqlite3_column_int64(select_rows, 1);
    r->data = copy(select_rows, 2, &r->size);
  }

  int64_t cpu = now(CLOCK_PROCESS_CPUTIME_ID), begin = now(CLOCK_MONOTONIC);
  sqlite3 *database = open_database(argv[2]);
  run(database,
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
      "CREATE TABLE blocks (id INTEGER NOT NULL PRIMARY KEY, capture INTEGER NOT NULL,"
      " channel INTEGER NOT NULL, first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL,"
      " count INTEGER NOT NULL, min_code INTEGER NOT NULL, mean_code REAL NOT NULL,"
      " max_code INTEGER NOT NULL, data BLOB NOT NULL, ordinal INTEGER) STRICT;"
      "CREATE UNIQUE INDEX blocks_by_ordinal ON blocks (capture, channel, ordinal);"
      "CREATE INDEX blocks_by_time ON blocks (capture, channel, last_ns);"
      "CREATE TABLE groups (block INTEGER NOT NULL PRIMARY KEY, data BLOB NOT NULL) STRICT;"
      "CREATE TABLE summaries (id INTEGER NOT NULL PRIMARY KEY, capture INTEGER NOT NULL,"
      " channel INTEGER NOT NULL, level INTEGER NOT NULL, ordinal INTEGER NOT NULL,"
      " data BLOB NOT NULL, UNIQUE (capture, channel, level, ordinal)) STRICT;");
  sqlite3_stmt *block = prepare(
      database,
      "INSERT INTO blocks (capture, channel, ordinal, first_ns, last_ns, count, min_code,"
      " mean_code, max_code, data) VALUES (1, 0, ?, ?, ?, ?, ?, ?, ?, ?)");
  sqlite3_stmt *groups = prepare(database, "INSERT INTO groups (block, data) VALUES (?, ?)");
  sqlite3_stmt *row = prepare(
      database,
      "INSERT INTO summaries (capture, channel, level, ordinal, data) VALUES (1, 0, ?, ?, ?)");
  int64_t samples = 0, due = per_transaction, transactions = 0;
  size_t next_row = 0;
  run(database, "BEGIN IMMEDIATE");
  for (size_t i = 0; i < count; i++) {
    struct block *b = &blocks[i];
    sqlite3_bind_int64(block, 1, b->ordinal);
    sqlite3_bind_int64(block, 2, b->first);
    sqlite3_bind_int64(block, 3, b->last);
    sqlite3_bind_int64(block, 4, b->count);
    sqlite3_bind_int64(block, 5, b->min);
    sqlite3_bind_double(block, 6, b->mean);
    sqlite3_bind_int64(block, 7, b->max);
    sqlite3_bind_blob(block, 8, b->data, b->data_size, SQLITE_STATIC);
    step(block);
    sqlite3_bind_int64(groups, 1, sqlite3_last_insert_rowid(database));
    sqlite3_bind_blob(groups, 2, b->groups, b->groups_size, SQLITE_STATIC);
    step(groups);
    samples += b->count;
    // The rows that were written by then, near enough.
    while (next_row < row_count && next_row * count < (i + 1) * row_count) {
      struct row *r = &rows[next_row++];
      sqlite3_bind_int64(row, 1, r->level);
      sqlite3_bind_int64(row, 2, r->ordinal);
      sqlite3_bind_blob(row, 3, r->data, r->size, SQLITE_STATIC);
      step(row);
    }
    if (samples >= due) {
      run(database, "COMMIT");
      due += per_transaction;
      transactions++;
      // One in ten goes to the disk: one a second.
      if (transactions % 10 == 9) run(database, "PRAGMA synchronous = FULL");
      if (transactions % 10 == 0) run(database, "PRAGMA synchronous = NORMAL");
      run(database, "BEGIN IMMEDIATE");
    }
  }
  run(database, "COMMIT");
  sqlite3_finalize(block);
  sqlite3_finalize(groups);
  sqlite3_finalize(row);
  sqlite3_close(database);
  cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  begin = now(CLOCK_MONOTONIC) - begin;
  printf("{\"samples\": %lld, \"cpu_ns\": %lld, \"wall_ns\": %lld}\n", (long long)samples,
         (long long)cpu, (long long)begin);
  return 0;
}
