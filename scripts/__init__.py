"""The programs of the zoo; an installed zoo has them as `mcmc-zoo NAME`."""
