# Pour quelle organisation on se connecte. « $client » est le nom d’un portail.
organization-title = Pour quelle organisation ?
organization-lead = Vous faites partie de plusieurs organisations. Pour laquelle vous connectez-vous ?
organization-last = Votre dernier choix
organization-for = Vous agissez pour { $name }.
organization-change = Changer d’organisation
organization-kind-company = Entreprise
organization-kind-training-body = Organisme de formation
organization-kind-cfa = Centre de formation d’apprentis (CFA)
organization-kind-partner = Partenaire
organization-kind-individual = À titre individuel
organization-kind-other = Organisation
organization-kinds-company = entreprises
organization-kinds-training-body = organismes de formation
organization-kinds-cfa = centres de formation d’apprentis (CFA)
organization-kinds-partner = partenaires
organization-kinds-individual = particuliers

# Le portail n’est pas pour cette personne.
organization-kind-title = Ce portail n’est pas ouvert à votre organisation
organization-kind-open-to = { $client } est réservé aux organisations de ces types :
organization-own = Vous faites partie de :
organization-none = Votre compte n’est rattaché à aucune organisation.
organization-kind-ask = Si vous pensez que vous devriez y avoir accès, demandez à l’administrateur de votre organisation ou au support de ce portail.
organization-member-title = Vous ne faites pas partie de cette organisation
organization-member-why = { $client } vous demande de vous connecter pour une organisation dont vous ne faites pas partie, ou plus partie.
organization-member-ask = Si vous devriez en faire partie, demandez à l’administrateur de cette organisation de vous inviter.
organization-contact = Contact de { $client } :
organization-back = Retourner à { $client }
organization-other-account = Utiliser un autre compte
