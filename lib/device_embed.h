/* device_embed.h - embeddings of many items on a device.
 *
 * A block of items after the other, each with the minibatch of Algorithm 2 around it: nothing as large as the graph is
 * on the device.  An item that several blocks need is projected for each of them, which embed.h, with room for all
 * items, avoids (paper, 3.4).
 */
#ifndef PS_DEVICE_EMBED_H
#define PS_DEVICE_EMBED_H

#include "device.h"
#include "embed.h"

/* As ps_embed_all, but without skip_missing and bf16, and a model with convolutions must have neighbours (PS_EUSAGE). */
PS_MUST_USE int ps_device_embed(const ps_embedding *e, ps_device *dev);

#endif
