#include "samples.h"
#include "suspend.h"
#include "system.h"

// MARK: numbers

enum { kind_ok = 0, kind_unreadable = 1 << 4, kind_no_number = 2 << 4 };

// Reads blanks, a sign, digits, and optionally a point and more digits; what follows is left alone.
// Gives the kind: the status, and in the low four bits how many decimals there are.
static unsigned parse(const char *bytes, long count, int64_t *mantissa) {
  const int64_t tenth = 922337203685477580;  // INT64_MAX / 10, whose last digit is 7
  long i = 0;
  *mantissa = 0;
  while (i < count && (bytes[i] == ' ' || bytes[i] == '\t')) i++;
  int is_negative = i < count && bytes[i] == '-';
  if (i < count && (bytes[i] == '-' || bytes[i] == '+')) i++;
  long first = i;
  int64_t value = 0;
  for (; i < count && bytes[i] >= '0' && bytes[i] <= '9'; i++) {
    int digit = bytes[i] - '0';
    if (value > tenth || (value == tenth && digit > 7)) return kind_no_number;
    value = value * 10 + digit;
  }
  if (i == first) return kind_no_number;
  unsigned decimals = 0;
  if (i < count && bytes[i] == '.') {
    for (i++; i < count && decimals < 15 && bytes[i] >= '0' && bytes[i] <= '9'; i++) {
      int digit = bytes[i] - '0';
      // Further digits are beyond what 64 bits can tell.
      if (value > tenth || (value == tenth && digit > 7)) break;
      value = value * 10 + digit;
      decimals++;
    }
  }
  *mantissa = is_negative ? -value : value;
  return kind_ok | decimals;
}

// MARK: files

static struct file {
  const char *path;
  int descriptor;
  // Why it is not open, or its last read failed.
  int failure;
  // When the file itself is looked after again: whether it is gone, or can be opened now.
  int64_t next_look;
} files[most_files];
static int file_count;

static void file_open(struct file *file) {
  long result = system_open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  file->descriptor = result < 0 ? -1 : (int)result;
  file->failure = result < 0 ? (int)-result : 0;
}

void files_open(char **paths, int count) {
  file_count = count;
  for (int i = 0; i < count; i++) {
    files[i].path = paths[i];
    file_open(&files[i]);
  }
}

int files_opened(void) {
  int count = 0;
  for (int i = 0; i < file_count; i++) count += files[i].descriptor >= 0;
  return count;
}

// A removed attribute of the kernel answers ENODEV, a file of an ended process ESRCH; a removed file of
// a disk still gives what it held.
static void file_look(struct file *file, int64_t now) {
  file->next_look = now + 1000000000;
  if (file->descriptor >= 0) {
    int failure = file->failure;
    int is_gone = failure == ENODEV || failure == ENXIO || failure == ESTALE || failure == ESRCH;
    if (!is_gone && system_links(file->descriptor) > 0) return;
    system_close(file->descriptor);
  }
  file_open(file);
}

int64_t files_sample(int64_t now) {
  char bytes[256];
  for (int i = 0; i < file_count; i++) {
    struct file *file = &files[i];
    long count = -1;
    if (file->descriptor >= 0) {
      count = system_read_start(file->descriptor, bytes, sizeof bytes);
      if (count < 0) file->failure = (int)-count;
    }
    // One reading of the clock lies between two values: the end of one and the beginning of the next.
    int64_t after = monotonic(), mantissa;
    int64_t time = now + ((after - now) >> 1) + asleep;
    now = after;
    if (after >= file->next_look) {
      int failure = file->failure;
      file_look(file, after);
      if (count < 0) {
        store_add(i, time, failure, kind_unreadable);
        now = monotonic();
        continue;
      }
      now = monotonic();
    }
    if (count < 0) {
      store_add(i, time, file->failure, kind_unreadable);
    } else {
      unsigned kind = parse(bytes, count, &mantissa);
      store_add(i, time, kind < kind_no_number ? mantissa : 0, kind);
    }
  }
  return now;
}

// MARK: the store

// A ring of whole frames, and the one that is being filled. Each frame can be read alone: it begins
// with the number of samples before it, the channel and time that follow, and the differences of values
// begin at 0.
static uint8_t *ring;
static size_t ring_size, ring_used, ring_begin;
static struct frame current;
static int current_samples;
static int64_t current_time;
static int64_t last_mantissa[most_files];
static uint8_t last_kind[most_files];
static uint64_t sample_count, lost_count;

size_t store_prepare(size_t size) {
  ring = system_map(size);
  ring_size = ring ? size : 0;
  return ring_size;
}

void store_add(int channel, int64_t time, int64_t mantissa, unsigned kind) {
  // Time, kind and value take 21 bytes at most.
  if (current_samples > 0 && current.count + 21 + check_size > frame_size) store_close_frame();
  if (current_samples == 0) {
    frame_begin(&current, 'D');
    put(&current, sample_count);
    put(&current, (uint64_t)channel);
    put(&current, (uint64_t)time);
    current_time = time;
    memset(last_mantissa, 0, sizeof last_mantissa);
    memset(last_kind, 0, sizeof last_kind);
  }
  int has_kind = kind != last_kind[channel];
  put(&current, (uint64_t)(time - current_time) << 1 | (unsigned)has_kind);
  if (has_kind) current.bytes[current.count++] = (uint8_t)kind;
  put_signed(&current, (int64_t)((uint64_t)mantissa - (uint64_t)last_mantissa[channel]));
  current_time = time;
  last_mantissa[channel] = mantissa;
  last_kind[channel] = (uint8_t)kind;
  current_samples++;
  sample_count++;
}

// Gives 0 when there is no room for it.
static int store_add_frame(const struct frame *frame) {
  if (ring_size - ring_used < frame->count) return 0;
  size_t end = ring_begin + ring_used;
  if (end >= ring_size) end -= ring_size;
  size_t first = ring_size - end < frame->count ? ring_size - end : frame->count;
  memcpy(ring + end, frame->bytes, first);
  memcpy(ring, frame->bytes + first, frame->count - first);
  ring_used += frame->count;
  return 1;
}

void store_close_frame(void) {
  if (current_samples == 0) return;
  frame_end(&current);
  if (!store_add_frame(&current)) lost_count += (uint64_t)current_samples;
  current_samples = 0;
}

void store_add_suspend(int64_t number, int64_t from, int64_t to, int64_t slept) {
  static struct frame frame;
  store_close_frame();
  frame_begin(&frame, 'S');
  put_signed(&frame, number);
  put_signed(&frame, from);
  put_signed(&frame, to);
  put_signed(&frame, slept);
  frame_end(&frame);
  // Without room it shows in the counts at the end.
  store_add_frame(&frame);
}

int store_has_frame(void) { return ring_used > 0; }
int store_has_samples(void) { return ring_used > 0 || current_samples > 0; }

static uint8_t ring_byte(size_t index) {
  index += ring_begin;
  return ring[index >= ring_size ? index - ring_size : index];
}

int store_take(struct frame *frame) {
  if (ring_used == 0) return 0;
  size_t count = header_size + (size_t)ring_byte(3) + ((size_t)ring_byte(4) << 8) + check_size;
  size_t first = ring_size - ring_begin < count ? ring_size - ring_begin : count;
  memcpy(frame->bytes, ring + ring_begin, first);
  memcpy(frame->bytes + first, ring, count - first);
  frame->count = count;
  ring_begin += count;
  if (ring_begin >= ring_size) ring_begin -= ring_size;
  ring_used -= count;
  return 1;
}

uint64_t store_samples(void) { return sample_count; }
uint64_t store_lost(void) { return lost_count; }
