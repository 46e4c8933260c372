#define _GNU_SOURCE
#include "CLinuxGPIO.h"

#include <linux/gpio.h>
#include <string.h>
#include <sys/ioctl.h>

static void copy_name(char target[33], const char source[GPIO_MAX_NAME_SIZE]) {
  memcpy(target, source, GPIO_MAX_NAME_SIZE);
  target[GPIO_MAX_NAME_SIZE] = 0;
}

int kelvin_gpio_chip(int chip, struct kelvin_gpio_chip *info) {
  struct gpiochip_info raw;
  memset(&raw, 0, sizeof raw);
  if (ioctl(chip, GPIO_GET_CHIPINFO_IOCTL, &raw) != 0) return -1;
  copy_name(info->name, raw.name);
  copy_name(info->label, raw.label);
  info->lines = raw.lines;
  return 0;
}

int kelvin_gpio_line(int chip, uint32_t offset, struct kelvin_gpio_line *info) {
  struct gpio_v2_line_info raw;
  memset(&raw, 0, sizeof raw);
  raw.offset = offset;
  if (ioctl(chip, GPIO_V2_GET_LINEINFO_IOCTL, &raw) != 0) return -1;
  copy_name(info->name, raw.name);
  copy_name(info->consumer, raw.consumer);
  info->is_used = (raw.flags & GPIO_V2_LINE_FLAG_USED) != 0;
  info->is_output = (raw.flags & GPIO_V2_LINE_FLAG_OUTPUT) != 0;
  return 0;
}

// An output whose level is part of the configuration, so that it never shows another one.
static void output_config(struct gpio_v2_line_config *config, int value) {
  config->flags = GPIO_V2_LINE_FLAG_OUTPUT;
  config->num_attrs = 1;
  config->attrs[0].mask = 1;
  config->attrs[0].attr.id = GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES;
  config->attrs[0].attr.values = value ? 1 : 0;
}

int kelvin_gpio_request(int chip, uint32_t offset, int value, const char *consumer) {
  struct gpio_v2_line_request request;
  memset(&request, 0, sizeof request);
  request.offsets[0] = offset;
  request.num_lines = 1;
  strncpy(request.consumer, consumer, sizeof request.consumer - 1);
  if (value >= 0) output_config(&request.config, value);
  if (ioctl(chip, GPIO_V2_GET_LINE_IOCTL, &request) != 0) return -1;
  return request.fd;
}

int kelvin_gpio_get(int line) {
  struct gpio_v2_line_values values = {.bits = 0, .mask = 1};
  if (ioctl(line, GPIO_V2_LINE_GET_VALUES_IOCTL, &values) != 0) return -1;
  return (int)(values.bits & 1);
}

int kelvin_gpio_set(int line, int value) {
  struct gpio_v2_line_config config;
  memset(&config, 0, sizeof config);
  output_config(&config, value);
  return ioctl(line, GPIO_V2_LINE_SET_CONFIG_IOCTL, &config);
}
