// The user's terminal in raw mode, given back on every way out that a process can take part in.
#ifndef KELVIN_CLINUX_TERMINAL_H
#define KELVIN_CLINUX_TERMINAL_H

/// Makes a terminal raw; from then on exit(3) and fatal signals restore it. Returns -1 with errno.
int kelvin_terminal_raw(int fd);
/// Restores it when it is raw. Async-signal-safe.
void kelvin_terminal_restore(void);

/// Rows and columns of a terminal. Return -1 with errno.
int kelvin_terminal_size(int fd, int *rows, int *columns);
int kelvin_terminal_resize(int fd, int rows, int columns);

#endif
