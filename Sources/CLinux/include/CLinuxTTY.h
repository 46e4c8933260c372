// Serial lines: ioctl(2) is variadic, and struct termios2 is no part of glibc.
#ifndef KELVIN_CLINUX_TTY_H
#define KELVIN_CLINUX_TTY_H

#include <stddef.h>

/// Raw mode, 8 data bits, no parity, 1 stop bit, no flow control, modem lines ignored for reading,
/// lines left as they are at the last close (no HUPCL), at any rate in bits per second (termios2 with
/// BOTHER). Returns -1 with errno.
int kelvin_tty_raw(int fd, unsigned int baud);
/// TIOCEXCL: no one but root may open it again; TIOCNXCL undoes that, which a close does only when
/// nobody else has it open. Returns -1 with errno.
int kelvin_tty_exclusive(int fd, int is_exclusive);
/// Throws away what was received and not yet read. Returns -1 with errno.
int kelvin_tty_discard_input(int fd);
/// TIOCMGET: bit 0 DTR, bit 1 RTS. Returns -1 with errno (ENOTTY or EINVAL: it has no such lines).
int kelvin_tty_lines(int fd);
/// TIOCMBIS or TIOCMBIC of the lines in `mask`, bits as in kelvin_tty_lines. Returns -1 with errno.
int kelvin_tty_set_lines(int fd, int mask, int asserted);
/// TIOCM_LOOP: a UART's own test mode, in which its lines come back into it. Returns -1 with errno.
int kelvin_tty_loop_lines(int fd, int is_looped);
/// What comes back there: bit 0 DSR (from DTR), bit 1 CTS (from RTS). Returns -1 with errno.
int kelvin_tty_looped_lines(int fd);
/// A new pseudo terminal: returns its master's descriptor and writes its slave's path, or -1 with
/// errno. Closed on exec.
int kelvin_pty(char *slave, size_t size);

#endif
