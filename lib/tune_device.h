/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * One interface, to be read and written setting by setting. A value is text, in
 * the one form in which it is read; two that are equal have the same text.
 *
 * Which device it is: the index holds through a rename and is not given again
 * while the kernel runs (but by hand), and driver and bus address must fit, too.
 * A card that was unplugged and is there again is another: what was set went
 * with the first. Not thread-safe.
 */
#ifndef SLUICE_TUNE_DEVICE_H
#define SLUICE_TUNE_DEVICE_H

#include <net/if.h>

#include "genl.h"
#include "tune_setting.h"

#define SL_TUNE_IDENTITY 72

struct sl_tune_device {
	char name[IF_NAMESIZE];
	int ifindex;
	char identity[SL_TUNE_IDENTITY]; /* "igb 0000:00:03.0" */
	int ethtool_err, netdev_err;	 /* of opening these */
	struct sl_genl ethtool, netdev;
	bool sysfs;	/* /sys is this network namespace's */
	char said[160]; /* what the kernel said when it last refused, or "" */
};

/* 0 and the caller closes *device, or -ENODEV. */
int sl_tune_device_open(const char *name, struct sl_tune_device *device);

/*
 * The device of that index and identity, under whatever name it has now. As
 * above; -ENODEV: it is gone, or in another network namespace.
 */
int sl_tune_device_find(int ifindex, const char *identity,
			struct sl_tune_device *device);

void sl_tune_device_close(struct sl_tune_device *device);

/*
 * 0 and the caller's *value; -ENOENT: no such queue now (an interface that is
 * down may have none to be seen), -EOPNOTSUPP: this kernel or driver has not the
 * setting, -ENODEV: the device is gone, -ENOMEM, or as the kernel refused.
 */
int sl_tune_read(struct sl_tune_device *device, const struct sl_tune_key *key,
		 char **value);

/* 0, or as above and unchanged; device->said has the kernel's words. */
int sl_tune_write(struct sl_tune_device *device, const struct sl_tune_key *key,
		  const char *value);

/*
 * What an operator's or a plan's value is in the form in which it is read:
 * "4" queues become "combined 4" where the driver has those. As sl_tune_read();
 * -EINVAL for what no value is.
 */
int sl_tune_form(struct sl_tune_device *device, const struct sl_tune_key *key,
		 const char *value, char **form);

/* Parts of the two, a file each. */
int sl_tune_ethtool_read(struct sl_tune_device *device,
			 enum sl_tune_setting setting, char **value);
int sl_tune_ethtool_write(struct sl_tune_device *device,
			  enum sl_tune_setting setting, const char *value);
int sl_tune_channels_form(struct sl_tune_device *device, uint32_t queues,
			  char **form);
int sl_tune_rss_read(struct sl_tune_device *device, char **value);
int sl_tune_rss_write(struct sl_tune_device *device, const char *value);
int sl_tune_napi_read(struct sl_tune_device *device,
		      const struct sl_tune_key *key, char **value);
int sl_tune_napi_write(struct sl_tune_device *device,
		       const struct sl_tune_key *key, const char *value);
int sl_tune_irq_read(struct sl_tune_device *device,
		     const struct sl_tune_key *key, char **value);
int sl_tune_irq_write(struct sl_tune_device *device,
		      const struct sl_tune_key *key, const char *value);

/* Of a file of a line: 0, or -errno; for the parts. */
int sl_tune_file_write(const char *path, const char *value);

/* A number as text, the caller's. 0 or -ENOMEM; for the parts. */
int sl_tune_number(uint64_t number, char **value);

#endif /* SLUICE_TUNE_DEVICE_H */
