"""Generators that learn against another network: in a latent space, or over the letters themselves."""
