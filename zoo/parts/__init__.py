"""What models are put together from: priors, posteriors, likelihoods, chains that go on."""
