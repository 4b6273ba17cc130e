"""Drug-target affinity: how strongly does this compound bind to this protein?"""
