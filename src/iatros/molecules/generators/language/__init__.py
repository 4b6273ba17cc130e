"""Language models of compounds: networks that say after every token what may follow."""
