// GPIO lines through the character device, version 2 of its interface (linux/gpio.h, since 5.10).
#ifndef KELVIN_CLINUX_GPIO_H
#define KELVIN_CLINUX_GPIO_H

#include <stddef.h>
#include <stdint.h>

/// A chip's own name (`gpiochip0`), the label its driver gave it, and how many lines it has.
struct kelvin_gpio_chip {
  char name[33];
  char label[33];
  uint32_t lines;
};

/// A line's name from the device tree or ACPI, and who uses it.
struct kelvin_gpio_line {
  char name[33];
  char consumer[33];
  int is_used;
  int is_output;
};

/// GPIO_GET_CHIPINFO. Returns -1 with errno.
int kelvin_gpio_chip(int chip, struct kelvin_gpio_chip *info);
/// GPIO_V2_GET_LINEINFO. Returns -1 with errno.
int kelvin_gpio_line(int chip, uint32_t offset, struct kelvin_gpio_line *info);
/// GPIO_V2_GET_LINE: takes a line. `value` -1 leaves direction and level as they are; 0 or 1 makes it
/// an output with that physical level in one step. Returns the line's descriptor, or -1 with errno
/// (EBUSY: someone else holds it).
int kelvin_gpio_request(int chip, uint32_t offset, int value, const char *consumer);
/// GPIO_V2_LINE_GET_VALUES: the physical level, 0 or 1, or -1 with errno.
int kelvin_gpio_get(int line);
/// GPIO_V2_LINE_SET_CONFIG: an output with this physical level, whatever it was. -1 with errno.
int kelvin_gpio_set(int line, int value);

#endif
