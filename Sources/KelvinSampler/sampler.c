// Samples files of a board at absolute deadlines, for a Kelvin that is reached by standard input and
// output (docs/sampling.md has the protocol).
//
//   kelvin-sampler PERIOD_NS BUFFER_BYTES stream|keep PRIORITY LIMIT_S FILE...
//
// One thread, nothing allocated and no lock in the window. With `keep` nothing is written between start
// and stop. It ends with its standard input, with who reads its output, and after LIMIT_S at the latest.
#include "counts.h"
#include "samples.h"
#include "suspend.h"
#include "system.h"

void *find_clock(uintptr_t image);

static int64_t period;
static int streams, notices_suspends;

// MARK: the link

enum { standard_input = 0, standard_output = 1 };

static void write_frame(const struct frame *frame) {
  for (size_t done = 0; done < frame->count;) {
    long count = system_write(standard_output, frame->bytes + done, frame->count - done);
    if (count == -EINTR) continue;
    if (count == -EAGAIN) {
      struct pollfd wait = {standard_output, POLLOUT, 0};
      CALL(ppoll, &wait, 1, 0, 0);
      continue;
    }
    if (count <= 0) system_exit(4);
    done += (size_t)count;
    counted.bytes_out += count;
  }
}

// Waits at most so many nanoseconds. Gives what is ready: 1, input; 2, room for output.
static int wait_for_link(int64_t nanoseconds, int wants_output) {
  struct pollfd waiting[2] = {{standard_input, POLLIN, 0}, {standard_output, POLLOUT, 0}};
  struct instant limit = instant_of(nanoseconds < 0 ? 0 : nanoseconds);
  long count = call6(__NR_ppoll, (long)waiting, wants_output ? 2 : 1, (long)&limit, 0, 0, 0);
  if (count <= 0) return 0;
  return (waiting[0].revents != 0) | (wants_output && waiting[1].revents != 0) << 1;
}

static void answer_clock(int64_t nonce, int64_t received) {
  static struct frame frame;
  suspend_look(received);
  frame_begin(&frame, 'C');
  put_signed(&frame, nonce);
  put_signed(&frame, received + asleep);
  put_signed(&frame, monotonic() + asleep);
  frame_end(&frame);
  write_frame(&frame);
}

// Reads what has come. Gives the command that ends what is being done now: s (start), e (end the
// sampling), q (quit), or 0.
static char take_commands(int is_sampling) {
  static char line[64];
  static size_t length;
  char bytes[256];
  long count = system_read(standard_input, bytes, sizeof bytes);
  int64_t received = monotonic();
  if (count == -EINTR || count == -EAGAIN) return 0;
  // Whoever started this is gone.
  if (count <= 0) system_exit(3);
  char ending = 0;
  for (long i = 0; i < count; i++) {
    if (bytes[i] != '\n') {
      if (length < sizeof line - 1) line[length++] = bytes[i];
      continue;
    }
    line[length] = 0;
    if (length == 1 && (line[0] == 's' || line[0] == 'e' || line[0] == 'q')) ending = line[0];
    if (length > 2 && line[0] == 'p' && line[1] == ' ') {
      // A link that takes nothing must not hold up the sampling; the question is asked again.
      if (!is_sampling || wait_for_link(0, 1) & 2) answer_clock(number_at(line + 2), received);
      counted.bytes_in += (int64_t)length + 1;
    }
    length = 0;
  }
  return ending;
}

// MARK: the window

// How often commands are looked for, and samples handed over.
enum { service_interval = 100000000, patience = 60 };

static int64_t last_taken;

// Hands frames over as long as the link takes them and the next tick is not due.
static void hand_over(int64_t due) {
  static struct frame frame;
  while (store_has_frame() && wait_for_link(0, 1) & 2) {
    store_take(&frame);
    write_frame(&frame);
    last_taken = monotonic();
    if (last_taken + 200000 > due) return;
  }
  // Nobody takes what is sampled: the link hangs, and nothing may be left running.
  if (store_has_frame() && monotonic() - last_taken > (int64_t)patience * 1000000000) system_exit(5);
}

// Waits for a tick. Gives the command that ends the sampling, or 0.
static char wait_until(int64_t due, int64_t *next_service) {
  for (;;) {
    int64_t now = monotonic();
    int is_far = due - now > 20000000;
    if (!is_far && now < *next_service) break;
    int is_service = now >= *next_service;
    if (is_service) {
      *next_service = now + service_interval;
      if (streams) {
        store_close_frame();
        if (store_has_frame()) hand_over(due);
        else last_taken = now;
      }
    }
    int64_t limit = is_far ? due - now : 0;
    // Only when there is something to hand over.
    if (is_far && streams && *next_service < due && store_has_samples()) limit = *next_service - now;
    if (wait_for_link(limit, 0) & 1) {
      char command = take_commands(1);
      if (command == 'e' || command == 'q') return command;
    }
    if (!is_far) break;
  }
  struct instant time = instant_of(due);
  while (CALL(clock_nanosleep, clock_monotonic, absolute_time, &time, 0) == -EINTR) {}
  return 0;
}

static char sample(void) {
  char command = 0;
  count_board(0);
  counted.bytes_in = counted.bytes_out = 0;
  count_usage(-1);
  int64_t due = last_taken = monotonic();
  suspend_look(due);
  counted.begin = due + asleep;
  int64_t late = (int64_t)divide((uint64_t)period, 10, NULL);
  int64_t next_service = due + service_interval;
  while (!(command = wait_until(due, &next_service))) {
    int64_t now = monotonic(), lateness = now - due;
    suspend_look(now);
    counted.lateness += lateness;
    if (lateness > counted.most_late) counted.most_late = lateness;
    if (lateness > late) counted.late++;
    now = files_sample(now);
    // In the middle of a tick, too, so that what was read before it is told from what was read after it.
    suspend_look(now);
    counted.taken++;
    counted.ticks++;
    due += period;
    if (now - due >= period) {
      // Ticks whose whole period has gone are left out, not made up for in a bunch.
      int64_t passed = (int64_t)divide((uint64_t)(now - due), (uint64_t)period, NULL);
      counted.overruns += passed;
      counted.ticks += passed;
      due += passed * period;
    }
  }
  counted.end = monotonic() + asleep;
  count_usage(1);
  int64_t bytes = counted.bytes_out;
  count_board(1);
  store_close_frame();
  static struct frame frame;
  while (store_take(&frame)) write_frame(&frame);
  counted.bytes_out = bytes;
  return command;
}

// MARK: the whole

static void say_hello(long realtime, long locked, size_t buffer) {
  static struct frame frame;
  frame_begin(&frame, 'H');
  put_signed(&frame, 2);
  put_signed(&frame, CALL(getpid, 0, 0, 0, 0));
  put_signed(&frame, -realtime);
  put_signed(&frame, -locked);
  put_signed(&frame, (int64_t)buffer);
  put_signed(&frame, files_opened());
  put_signed(&frame, fast_clock != NULL);
  put_signed(&frame, monotonic() + asleep);
  put_signed(&frame, notices_suspends);
  frame_end(&frame);
  write_frame(&frame);
}

static void say_end(void) {
  static struct frame frame;
  frame_begin(&frame, 'E');
  int64_t numbers[] = {
      counted.begin, counted.end, counted.ticks, counted.taken, counted.late, counted.overruns,
      (int64_t)store_samples(), (int64_t)store_lost(), counted.lateness, counted.most_late,
      counted.cpu, counted.switches, counted.preemptions, counted.faults, counted.bytes_out,
      counted.bytes_in, counted.link_cpu, counted.link_runs, counted.forks,
      notices_suspends ? suspends : -1, notices_suspends ? slept : -1};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) put_signed(&frame, numbers[i]);
  frame_end(&frame);
  write_frame(&frame);
}

static void wait_for(char wanted) {
  for (;;) {
    wait_for_link((int64_t)86400 * 1000000000, 0);
    char command = take_commands(0);
    if (command == 'q') system_exit(0);
    if (command == wanted) return;
  }
}

static long become_realtime(int64_t priority) {
  if (priority <= 0) return 0;
  enum { fifo = 1 };
  struct { int priority; } parameters = {(int)priority};
  return CALL(sched_setscheduler, 0, fifo, &parameters, 0);
}

// `stack`: the count of arguments, the arguments, the environment, the auxiliary vector.
__attribute__((used)) _Noreturn void begin(uintptr_t *stack) {
  int count = (int)stack[0];
  char **words = (char **)(stack + 1);
  uintptr_t *auxiliary = stack + count + 2;
  while (*auxiliary++) {}
  for (; auxiliary[0]; auxiliary += 2)
    if (auxiliary[0] == 33 /* AT_SYSINFO_EHDR */) {
      fast_clock = (clock_function)find_clock(auxiliary[1]);
      break;
    }
  frames_prepare();
  notices_suspends = suspend_prepare();
  if (count < 7 || count - 6 > most_files) system_exit(2);
  period = number_at(words[1]);
  int64_t buffer = number_at(words[2]), priority = number_at(words[4]), limit = number_at(words[5]);
  streams = words[3][0] == 's';
  // Shorter periods than 10 us would leave a CPU under SCHED_FIFO to nobody else.
  if (period < 10000 || buffer < 2 * frame_size || buffer > 1 << 30 || priority < 0 || limit < 1)
    system_exit(2);
  // SIGALRM ends the process, whatever it waits for.
  long alarm[4] = {0, 0, (long)(limit > 1000000000 ? 1000000000 : limit), 0};
  CALL(setitimer, 0 /* ITIMER_REAL */, alarm, 0, 0);
  CALL(prctl, 29 /* PR_SET_TIMERSLACK */, 1, 0, 0);
  size_t granted = store_prepare((size_t)buffer);
  files_open(words + 6, count - 6);
  long locked = CALL(mlockall, 3 /* MCL_CURRENT | MCL_FUTURE */, 0, 0, 0);
  long realtime = become_realtime(priority);
  say_hello(realtime, locked, granted);
  if (granted == 0) system_exit(6);
  wait_for('s');
  char command = sample();
  say_end();
  if (command != 'q') wait_for('q');
  system_exit(0);
}
