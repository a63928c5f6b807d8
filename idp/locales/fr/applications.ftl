# Les portails et applications du compte.
applications-title = Mes portails et applications
applications-portals = Mes portails
applications-others = Applications que j’ai autorisées
applications-lead = Ces applications ne sont pas les nôtres : c’est vous qui leur avez ouvert l’accès. Si vous le retirez, elles n’apprennent plus rien de vous et devront vous le redemander.
applications-none = Vous n’avez autorisé aucune application.
applications-since = Autorisée le
applications-used = Dernière utilisation
applications-open = Ouvrir { $name }
applications-revoke = Retirer l’accès
applications-done = L’accès est retiré. L’application ne peut plus consulter votre compte.
applications-back = Retour à mon compte
