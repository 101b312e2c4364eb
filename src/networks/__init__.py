"""Networks that know no loss: generator, discriminator, patch sampler and the attention modules."""
